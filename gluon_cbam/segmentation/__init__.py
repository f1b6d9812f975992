"""Results of semantic segmentation as files: masks over pictures, masks with colors.

May import ``tasks``, ``data``, ``detection`` for its drawing, and ``common``.
"""
