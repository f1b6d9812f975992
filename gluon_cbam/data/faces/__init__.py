"""Faces: verification sets of pairs of pictures.

``verification_sets`` opens a set in any form: the pickles of insightface (``pickled_sets``), the archives of this
package (``archived_sets``), and lists of pairs with a folder of pictures (``pair_lists``).

May import the other parts of ``data``, and ``common``.
"""
