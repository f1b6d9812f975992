"""Repairs of mxnet 1.9.1 and gluoncv 0.10.5, which were written for numpy 1.17, on every later numpy up to 2.x.

Each module repairs one kind of defect, and has the table of the modules of mxnet and gluoncv that have it:

* :mod:`.removed_names`: names that numpy removed, read during the import or later;
* :mod:`.parameter_text`: parameters of operators whose text numpy 2 changed;
* :mod:`.metrics`: metrics that numpy 2 would sum in single precision;
* :mod:`.records`: ``ndarray.tostring``, which numpy 2.3 removed, in ``mx.recordio``.

Nothing is imported, and nothing of mxnet or gluoncv is changed, before the module in question is itself imported.
"""
