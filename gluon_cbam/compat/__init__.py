"""What it takes to import the retired mxnet 1.9.1, and gluoncv, on today's machines.

``import gluon_cbam`` calls :func:`install`, which costs nothing until ``mxnet`` or ``gluoncv`` is first imported, by
this package or by anybody else. Then, and only around that import:

* the versions are checked, so that a combination that cannot work says so in one line (:mod:`.versions`);
* ``OMP_NUM_THREADS`` gets the number of physical cores unless the user set it (:mod:`.threads`);
* the CUDA 11 libraries of the ``cu117`` extra are loaded (:mod:`.cuda`);
* ``numpy.bool`` exists while mxnet's modules run, and is gone again afterwards (:mod:`.importing`);
* scikit-learn is hidden from mxnet, which would import it for one deprecated class (:mod:`.importing`);
* ``torch`` is hidden from gluoncv, which refuses to import beside torch 2 (:mod:`.importing`).
"""

from .importing import install

__all__ = ['install']
