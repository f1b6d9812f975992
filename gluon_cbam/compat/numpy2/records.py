"""``mx.recordio.pack`` and ``pack_img``, which call ``ndarray.tostring``: numpy 2.3 removed it."""

from __future__ import annotations

from contextlib import contextmanager
from types import ModuleType
from typing import Any, Iterator, Tuple

from gluon_cbam.compat.namespace import give

MODULES = ('mxnet.recordio',)
"""The module of mxnet that calls ``tostring``."""


@contextmanager
def without_tostring(module: ModuleType) -> Iterator[None]:
    """Give a module arrays that have ``tostring``; nothing is changed with numpy 1.

    Args:
        module: ``mxnet.recordio``. It calls the method of what ``numpy.asarray`` and ``cv2.imencode`` returned.
    """
    yield
    import numpy

    if int(numpy.__version__.split('.')[0]) < 2:
        return

    class Array(numpy.ndarray):
        tostring = numpy.ndarray.tobytes

    def asarray(*args: Any, **kwargs: Any) -> Array:
        return numpy.asarray(*args, **kwargs).view(Array)

    give(module, numpy, {'asarray': asarray})
    cv2 = module.cv2
    if cv2 is None:  # OpenCV cannot be imported
        return

    def imencode(*args: Any) -> Tuple[bool, Array]:
        encoded, image = cv2.imencode(*args)
        return encoded, image.view(Array)

    give(module, cv2, {'imencode': imencode})
