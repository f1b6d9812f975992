"""Explanations of image files: what one network looks at, and several networks compared.

It may import ``explain.maps``, ``inference``, ``tasks``, ``data`` and ``common``. Drawing is the part of ``figures``.
"""
