"""Batches from record files: preprocessing, augmentation, training and evaluation batches.

``epochs`` is the base of all training batches: ``training`` has images with a number as their label.

May import ``data.records``, ``data.decoding``, ``data.resizing``, ``common`` and ``compat``. Only ``epochs`` and
``training`` import mxnet.
"""
