"""The report of scored detections: curves, the confusion matrix, errors, and the best and worst pictures.

It may import ``detection``, ``explain.figures``, ``tasks.detection`` and ``common``.
"""
