"""Figures of explanations: maps over images, networks compared, the HTML report, and the directory they are written to.

It may import ``explain.images``, ``explain.maps`` and ``common``.
"""
