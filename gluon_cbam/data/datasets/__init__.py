"""Data sets that need no download: handwritten digits, drawn shapes with object masks; class names of ImageNet.

May import ``data.records`` and ``common``.
"""
