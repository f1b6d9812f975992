"""The report of scored masks: figures, the confusion matrix, and the best and worst pictures.

It may import ``segmentation``, ``detection.drawing``, ``explain.figures``, ``tasks.segmentation`` and ``common``.
"""
