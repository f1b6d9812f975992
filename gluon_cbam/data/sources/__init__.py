"""Images and labels in the layouts of users.

For packing: tar files (``tars``, ``tar_index``), folders and tar files of images (``file_trees``), paths in folders and
in tar files for the readers of boxes and masks (``file_paths``, ``tar_paths``), detection of the layout of images
(``layouts``, ``splits``) and of the images for each record file (``parts``, ``tree_parts``), what is left out
(``left_out``), lists and label files (``labels``, ``compact_lists``), data sets of arrays (``arrays``). For prediction
and explanation: a file, folder, pattern, record file, video or camera (``images``, ``image_files``, ``video``).

May import ``data.records``, ``data.decoding``, ``common`` and ``compat``.
"""

from gluon_cbam.compat.renamed import renamed_attributes

__getattr__ = renamed_attributes(
    __name__,
    {
        'read_source': 'data.sources.layouts.read_source',
    },
)
