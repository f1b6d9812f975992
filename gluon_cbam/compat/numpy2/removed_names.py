"""Names that numpy removed between 1.20 and 2.4 and that modules of mxnet 1.9.1 and gluoncv 0.10.5 read.

While such a module is executed, numpy has the names that it lacks; they are removed afterwards, since other packages
use them to distinguish numpy 2 from numpy 1. The functions of the module find them in a copy of numpy's namespace.
"""

from __future__ import annotations

from contextlib import contextmanager
from types import ModuleType, SimpleNamespace
from typing import Any, Callable, Dict, Iterator, Tuple

from gluon_cbam.compat.namespace import give

_FINANCIAL = ('mirr', 'npv', 'pmt', 'ppmt', 'pv', 'rate')

READ: Dict[str, Tuple[str, ...]] = {
    'mxnet.numpy.utils': ('bool', 'PZERO', 'NZERO', 'PINF', 'NINF', 'NAN', 'NaN'),
    'mxnet.numpy.fallback': ('alltrue', 'in1d', 'msort', 'trapz', *_FINANCIAL),
    'mxnet.numpy.multiarray': ('bool',),
    'mxnet.numpy_dispatch_protocol': ('product', 'round_', 'sometrue'),
    'mxnet.ndarray.numpy._op': ('bool', 'compat'),
    'mxnet.symbol.numpy._symbol': ('bool', 'compat'),
    'mxnet.gluon.contrib.estimator.event_handler': ('Inf',),
    'mxnet.test_utils': ('bool', 'int'),
    'gluoncv.data.kitti.kitti_utils': ('int',),
    'gluoncv.data.transforms.track': ('float',),
    'gluoncv.model_zoo.hrnet': ('int',),
    'gluoncv.model_zoo.rcnn.rpn.anchor': ('float',),
    'gluoncv.utils.data.tracking': ('float',),
    'gluoncv.utils.metrics.coco_detection': ('float',),
}
"""Full name of a module -> names of numpy that it reads when it is imported or called and that some numpy lacks."""


def _in1d(ar1: Any, ar2: Any, assume_unique: bool = False, invert: bool = False) -> Any:
    """``numpy.in1d``: :func:`numpy.isin` of the flattened array."""
    import numpy

    return numpy.isin(numpy.ravel(ar1), ar2, assume_unique=assume_unique, invert=invert)


def _msort(a: Any) -> Any:
    """``numpy.msort``: sorted along the first axis."""
    import numpy

    return numpy.sort(a, axis=0)


def _financial(name: str) -> Callable[..., Any]:
    """A financial function, which raises the error that numpy 1.20 to 1.26 raise."""

    def removed(*args: Any, **kwargs: Any) -> Any:
        raise RuntimeError(f'numpy.{name} was removed in numpy 1.20: use numpy_financial.{name}')

    return removed


def _replacements() -> Dict[str, Any]:
    """Each removed name with what it meant."""
    import numpy

    return {
        'bool': bool,
        'int': int,
        'float': float,
        'Inf': numpy.inf,
        'PINF': numpy.inf,
        'NINF': -numpy.inf,
        'NAN': numpy.nan,
        'NaN': numpy.nan,
        'PZERO': 0.0,
        'NZERO': -0.0,
        'alltrue': numpy.all,
        'sometrue': numpy.any,
        'product': numpy.prod,
        'round_': numpy.round,
        'trapz': getattr(numpy, 'trapezoid', None),  # its name since 2.0
        'in1d': _in1d,
        'msort': _msort,
        'compat': SimpleNamespace(basestring=str),
        **{name: _financial(name) for name in _FINANCIAL},
    }


@contextmanager
def supplied(module: ModuleType) -> Iterator[None]:
    """Execute a module with the names that it reads, during its import and later.

    A name that numpy has is never replaced: ``numpy.bool`` is a scalar type in numpy 2, which numpy itself needs.

    Args:
        module: one of :data:`READ`.
    """
    import numpy

    known = _replacements()
    missing = {name: known[name] for name in READ[module.__name__] if name not in vars(numpy)}
    vars(numpy).update(missing)
    try:
        yield
    finally:
        for name in missing:
            del vars(numpy)[name]
    give(module, numpy, missing)
