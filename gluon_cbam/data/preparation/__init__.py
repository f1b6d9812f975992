"""Packing a source of images into record files, and listing it: ``cbam data pack`` and ``cbam data list`` do.

May import ``data.sources``, ``data.records``, ``data.class_names``, ``data.decoding``, ``data.resizing`` and
``common``.
"""
