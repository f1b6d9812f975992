"""Pictures with boxes, for detection.

* ``table``: the boxes of a picture, and a table of pictures with boxes;
* ``objects``, ``labels``: the labels of detection records, of many at once and of one;
* ``records``: an opened file of detection records.

May import ``data.records``, ``data.decoding``, ``data.class_names``, ``common`` and ``compat``; none of mxnet.
"""
