"""Faces: sets of identities in records, and verification sets of pairs of pictures.

* ``record_sets``: reading and writing a set in insightface's format; ``merging`` and ``selecting`` make new sets of
  others (``copying``);
* ``packing``: identity folders as a set; ``alignment`` by five ``landmarks`` that are given, or found by ``detection``;
* ``verification_sets`` opens a verification set in any form: the pickles of insightface (``pickled_sets``), the
  archives of this package (``archived_sets``), and lists of pairs with a folder of pictures (``pair_lists``);
  ``converting`` writes one, also of pairs drawn from a set in records (``pairing``).

May import the other parts of ``data``, and ``common``.
"""
