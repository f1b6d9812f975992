"""Images in RecordIO files: the format, making files, and batches from them.

``recordio`` is the format, ``digits`` and ``packing`` make files, ``preprocessing`` turns an encoded image into an
array, ``augmentation`` varies it, ``training`` and ``evaluation`` make batches. Only ``training`` imports mxnet.
"""
