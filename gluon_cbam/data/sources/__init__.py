"""Images and labels in the layouts of users.

For packing: folders and tar files (``file_trees``, ``tars``), detection of their layout (``layouts``), lists and label
files (``labels``). For prediction and explanation: a file, folder, pattern, record file, video or camera (``images``,
``video``).

May import ``data.records``, ``data.decoding``, ``common`` and ``compat``.
"""

from gluon_cbam.compat.renamed import renamed_attributes

__getattr__ = renamed_attributes(
    __name__,
    {
        'read_source': 'data.sources.layouts.read_source',
    },
)
