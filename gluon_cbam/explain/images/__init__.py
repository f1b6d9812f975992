"""Explanations of image files by one network, and comparisons of several networks.

It may import ``explain.maps``, ``inference``, ``tasks``, ``data`` and ``common``. Figures are drawn in ``figures``.
"""
