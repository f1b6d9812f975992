"""The report of scored classes: figures, confusions, calibration, and the worst mistakes.

It may import ``classification``, ``explain.figures``, ``tasks.classification`` and ``common``.
"""
