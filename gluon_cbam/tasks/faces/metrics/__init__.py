"""Figures of face recognition from embeddings, in numpy alone: verification of pairs and identification in a gallery.

It may import ``common``.
"""
