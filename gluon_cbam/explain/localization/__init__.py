"""Localization metrics: maps scored against masks of the objects, next to baselines that ignore the image.

It may import ``explain.maps``, ``inference``, ``data`` and ``common``.
"""
