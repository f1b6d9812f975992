"""Record files and lists made of a source of images: what ``cbam data pack`` and ``cbam data list`` do.

May import ``data.sources``, ``data.records``, ``data.decoding``, ``data.resizing`` and ``common``.
"""
