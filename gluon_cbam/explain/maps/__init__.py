"""Maps of a batch of images as arrays: attention gates, Grad-CAM, and the positions of a map's cells on the image.

It may import ``attention``, ``ops`` and ``common``.
"""
