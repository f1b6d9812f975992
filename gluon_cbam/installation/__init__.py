"""MXNet 1.9.1 put beside any numpy: ``cbam setup``.

mxnet's own metadata asks for numpy < 2 and graphviz < 0.9, which no resolver accepts on Python 3.13 and later, although
mxnet runs there after :mod:`gluon_cbam.compat`. It is therefore installed without its requirements: ``builds`` is the
table of the published wheels and their hashes, ``installers`` that of pip and uv and of how they fail, ``plan`` decides
which commands are needed, ``installing`` runs them, and ``probe`` imports a package in a fresh process. ``fetching``
downloads a wheel that is not installed, for its data.

May import :mod:`gluon_cbam.ops`, :mod:`gluon_cbam.compat` and :mod:`gluon_cbam.common`; imports no mxnet and no numpy.
"""
