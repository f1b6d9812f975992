"""Face recognition: networks whose outputs are embeddings, compared by their angle.

It may import the modules of ``tasks``, ``data`` and ``common``.
"""
