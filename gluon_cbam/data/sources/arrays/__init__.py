"""Data sets that store images as arrays of pixels, several in a file: each format is a row of ``formats.FORMATS``.

* ``sets``: the images of a file with their labels, and the options of formats;
* ``trees``: such images in the interface of a tree of image files, as lossless PNG;
* ``contents``: reading files that may be compressed, against the size that they state;
* ``pixel_values``: other values than bytes as pixels;
* ``idx_file``, ``idx_sets``: MNIST and the sets in its format; ``known_sets``: the names of their classes;
* ``cifar``; ``svhn``: CIFAR-10 and CIFAR-100; the cropped digits of SVHN;
* ``class_numbers``: labels as class indices.

May import ``common``, ``data.class_names``, and of ``data.sources`` the modules ``parts``, ``compact_lists``,
``left_out`` and ``tars``.
"""
