"""Maps of a batch of images as arrays: attention gates, Grad-CAM, and where the cells of a map lie on the image.

It may import ``attention`` and ``common``.
"""
