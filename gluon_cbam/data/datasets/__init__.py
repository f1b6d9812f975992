"""Data sets that need no download: handwritten digits, and drawn shapes with object masks.

May import ``data.records`` and ``common``.
"""
