"""From records to batches: preprocessing, augmentation, training and evaluation batches.

May import ``data.records``, ``data.decoding``, ``data.resizing`` and ``common``. Only ``training`` imports mxnet.
"""
