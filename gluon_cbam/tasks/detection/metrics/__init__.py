"""Figures of detection from boxes, in numpy alone: average precisions of COCO and Pascal VOC, and what explains them.

It may import ``tasks.detection.detections``, ``data`` and ``common``.
"""
