"""Multi-label classification: any number of classes on an image, mean average precision, and F1.

It may import the modules of ``tasks``, ``data`` and ``common``, and of the task ``classification`` its loss, its mixing
of images and the score of a class.
"""
