"""Packing a source of images, boxes or masks into record files, listing it, and converting boxes into other formats.

May import ``data.boxes``, ``data.class_masks``, ``data.sources``, ``data.datasets``, ``data.records``,
``data.class_names``, ``data.decoding``, ``data.resizing`` and ``common``.
"""
