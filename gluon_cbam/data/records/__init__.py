"""RecordIO files of images: the format, a reader, a writer, the index, checks and statistics.

May import :mod:`gluon_cbam.data.decoding` and ``common``; it imports neither mxnet nor any other part of ``data``.
"""
