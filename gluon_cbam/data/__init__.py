"""Images and their labels: sources of images, RecordIO files, data sets, and batches for training and evaluation.

* ``decoding``, ``resizing``: decoding an encoded image to pixels, and resizing them;
* ``class_names``: the names of classes beside record files, and their comparison;
* ``records``: the RecordIO format, its reader and writer, checks and statistics of files;
* ``boxes``: pictures with boxes, for detection: the table, and the formats of annotations;
* ``class_masks``: pictures with masks of classes, for segmentation, and their formats;
* ``sources``: images and labels in the layouts of users: folders, tar files, lists, label files, videos, cameras;
* ``preparation``: packing sources into record files, and lists of images;
* ``datasets``: data sets that need no download;
* ``faces``: sets of identities, alignment, verification sets of pairs of pictures;
* ``loading``: preprocessing, augmentation, training and evaluation batches.

May import ``common`` and ``compat``. Inside, ``faces`` may import all others; ``preparation`` may import ``datasets``,
``class_masks``, ``boxes``, ``sources`` and ``records``; ``datasets`` and ``loading`` may import ``class_masks``,
``boxes``, ``sources`` and ``records``; ``class_masks`` may import ``boxes``, ``sources`` and ``records``; ``boxes`` may
import ``sources`` and ``records``; ``sources`` may import ``records``; all of them ``decoding``,
``resizing`` and ``class_names``. Only ``loading.training`` imports mxnet.
"""
