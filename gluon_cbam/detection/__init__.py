"""Uses of detections: files of results in COCO's format, drawn boxes, and the report of their scores.

It may import everything below it, from ``inference`` and ``tasks`` on, and the figures of ``explain``. Modules import
mxnet in functions only: anybody's results are scored without it.
"""
