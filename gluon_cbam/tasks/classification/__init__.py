"""Image classification: cross-entropy, mixup and cutmix, top-1 and top-5 accuracy, and the names of classes.

It may import what :mod:`gluon_cbam.tasks` may.
"""
