"""The report of scored labels: figures, curves of precision and recall, and the best and worst pictures.

It may import ``multilabel``, ``explain.figures``, ``tasks.multilabel`` and ``common``.
"""
