"""Images in RecordIO files: the format, making and checking files, and batches from them.

``structure`` and ``recordio`` are the format. ``sources`` finds images in folders and tar files (``trees``, ``tars``)
and their labels (``labels``); ``lists``, ``packing`` and ``digits`` make files of them. ``checking`` and ``statistics``
look into files, in one pass (``inspection``). ``images`` and ``video`` give images wherever they lie. ``preprocessing``
turns an encoded image into an array, ``augmentation`` varies it, ``training`` and ``evaluation`` make batches. Only
``training`` imports mxnet.
"""
