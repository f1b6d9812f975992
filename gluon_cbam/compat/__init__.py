"""Compatibility of mxnet 1.9.1 and gluoncv with current packages; devices; old names of renamed modules.

``import gluon_cbam`` calls :func:`install`, which costs nothing until ``mxnet`` or ``gluoncv`` is first imported, by
this package or by any other. ``import mxnet`` without it fails with numpy 1.24 and later. During that import only:

* the versions are checked: an unsupported combination raises a one-line error (:mod:`.versions`);
* ``OMP_NUM_THREADS`` is set to the number of physical cores unless the user set it (:mod:`.threads`);
* the CUDA 11 libraries of the ``cu117`` extra are loaded (:mod:`.cuda`);
* names that numpy removed exist while the modules that read them are executed (:mod:`.numpy2.removed_names`);
* scikit-learn is hidden from mxnet, which would import it for one deprecated class (:mod:`.importing`);
* ``torch`` is hidden from gluoncv, which cannot be imported with torch 2 (:mod:`.importing`).

What stays is in the modules of mxnet and gluoncv alone: :mod:`.repairs` lists which of them are repaired, and
:mod:`.numpy2`, :mod:`.workers` and :mod:`.truncated_images` say what is wrong with them.

:mod:`.platforms` has the wheels of mxnet for each system, and what works without one; :mod:`.devices` parses ``--gpus``
and ``--cpus``; :mod:`.renamed` keeps the old names of modules for one release.

May import :mod:`gluon_cbam.common`.
"""

from .importing import install

__all__ = ['install']
