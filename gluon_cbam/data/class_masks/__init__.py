"""Pictures with a mask of classes, for semantic segmentation.

A mask has the class of each pixel of its picture, (H, W) uint8; :data:`.values.IGNORED` where it does not count.

* ``values``, ``png``: what the values of a mask mean, and masks as PNG; ``palette``: colors of classes;
* ``records``: an opened file of segmentation records;
* ``formats``: the table of formats, each with its reader: ``voc``, ``cityscapes``, ``coco``, ``folders``, ``lists``,
  ``record_sets``;
* ``sets``: what was read from a source; ``examples``: a picture with its mask, read and compared;
* ``regions``: polygons and run lengths to pixels.

May import ``data.boxes``, ``data.sources``, ``data.records``, ``data.decoding``, ``data.resizing``,
``data.class_names``, ``common`` and ``compat``; it imports no mxnet.
"""
