"""What classifiers predicted for a set of images: as a table, as a confusion matrix, and as a report.

It may import ``explain.figures``, ``tasks.classification``, ``data`` and ``common``.
"""
