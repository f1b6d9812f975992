"""Pictures with boxes, for detection.

* ``table``: the boxes of a picture, and a table of pictures with boxes;
* ``objects``, ``labels``: the labels of detection records, of many at once and of one;
* ``records``: an opened file of detection records;
* ``formats``: the table of formats, each with its reader: ``coco``, ``voc``, ``yolo``, ``csv_tables``, ``record_sets``;
  ``reading`` is what they share, ``writing`` the writers;
* ``columns``, ``sets``, ``faults``: large tables, what was read from a source, and what is wrong with it.

May import ``data.sources``, ``data.records``, ``data.decoding``, ``data.class_names``, ``common`` and ``compat``; it
imports no mxnet.
"""
