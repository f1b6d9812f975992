"""Images and their labels: RecordIO files, what they are made of, and batches from them.

* ``decoding``, ``resizing``: from an encoded image to pixels;
* ``records``: the RecordIO format, its reader and writer, checks and statistics of files;
* ``sources``: images and labels as people have them: folders, tar files, lists, label files, videos, cameras;
* ``preparation``: record files and lists made of sources;
* ``datasets``: data sets that need no download;
* ``loading``: preprocessing, augmentation, training and evaluation batches.

Imports of ours: ``common`` and ``compat`` alone. Inside, ``preparation`` may import ``sources`` and ``records``;
``sources``, ``datasets`` and ``loading`` may import ``records``; all of them ``decoding`` and ``resizing``. Only
``loading.training`` imports mxnet.
"""
