"""Image classification: losses of logits, mixup and cutmix, top-1 and top-5 accuracy, and the names of classes.

It may import the modules of ``tasks``, ``data`` and ``common``.
"""
