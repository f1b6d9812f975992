"""Semantic segmentation: the class of each pixel, its loss, scores and predictions.

It may import what :mod:`gluon_cbam.tasks` may. Only ``objective``, ``loss`` and ``examples`` import mxnet.
"""
