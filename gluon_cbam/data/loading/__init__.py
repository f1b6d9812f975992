"""Batches from record files: preprocessing, augmentation, training and evaluation batches.

``epochs`` is the base of all training batches: ``training`` has images with a number as their label, which
``augmentation`` and the steps of ``policies`` augment, ``box_training`` pictures with boxes, which ``box_augmentation``
augments together, ``mask_training`` and ``mask_augmentation`` the same for masks.

May import ``data.records``, ``data.boxes``, ``data.class_masks``, ``data.decoding``, ``data.resizing``, ``common`` and
``compat``. Only ``epochs`` with ``batch_slices``, ``training``, ``box_training`` and ``mask_training`` import mxnet.
"""
