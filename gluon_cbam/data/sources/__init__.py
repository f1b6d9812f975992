"""Images and labels in the layouts of users.

For packing: folders and tar files (``file_trees``, ``tars``), detection of their layout (``layouts``, ``splits``) and
of the images for each record file (``parts``, ``tree_parts``), what is left out (``left_out``), lists and label files
(``labels``, ``compact_lists``), data sets of arrays (``arrays``). For prediction and explanation: a file, folder,
pattern, record file, video or camera (``images``, ``image_files``, ``video``).

May import ``data.records``, ``data.decoding``, ``common`` and ``compat``.
"""

from gluon_cbam.compat.renamed import renamed_attributes

__getattr__ = renamed_attributes(
    __name__,
    {
        'read_source': 'data.sources.layouts.read_source',
    },
)
