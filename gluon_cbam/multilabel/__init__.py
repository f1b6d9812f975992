"""What classifiers of several labels predicted for a set of images: as a table, and as a report.

It may import ``explain.figures``, ``tasks.multilabel``, ``data`` and ``common``.
"""
