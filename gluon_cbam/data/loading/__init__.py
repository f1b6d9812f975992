"""Batches from record files: preprocessing, augmentation, training and evaluation batches.

May import ``data.records``, ``data.decoding``, ``data.resizing``, ``common`` and ``compat``. Only ``training`` imports
mxnet.
"""
