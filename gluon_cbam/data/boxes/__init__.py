"""Pictures with boxes, for detection.

* ``table``: the boxes of a picture, and a table of pictures with boxes.

May import ``data.records``, ``data.decoding``, ``data.class_names``, ``common`` and ``compat``; none of mxnet.
"""
