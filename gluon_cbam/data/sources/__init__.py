"""Images and labels as people have them.

To pack: folders and tar files (``file_trees``, ``tars``), what their layout means (``layouts``), lists and label files
(``labels``). To predict or explain: any file, folder, pattern, record file, video or camera (``images``, ``video``).

May import ``data.records``, ``data.decoding`` and ``common``.
"""
