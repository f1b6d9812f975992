"""Sums of ``mx.metric`` in double precision.

A metric begins with ``sum_metric = 0.0`` and adds the value of each batch. If that is a ``numpy.float32``, the sum is
float64 in numpy 1 and float32 in numpy 2 (NEP 50): Loss, MAE, MSE, RMSE, CrossEntropy and Perplexity then add up an
epoch in single precision, silently, with an error that grows with the number of batches.
"""

from __future__ import annotations

from contextlib import contextmanager
from types import ModuleType
from typing import Any, Iterator

MODULES = ('mxnet.metric',)
"""The module of mxnet that has the metrics."""


def _double(name: str) -> property:
    """A property that keeps a number as float64, in the instance under its own name, so that pickles stay the same."""

    def get(metric: Any) -> Any:
        return vars(metric)[name]

    def put(metric: Any, value: Any) -> None:
        import numpy

        is_number = isinstance(value, (float, numpy.floating))
        vars(metric)[name] = numpy.float64(value) if is_number else value

    return property(get, put)


@contextmanager
def summed_in_double(module: ModuleType) -> Iterator[None]:
    """Let the metrics of a module add in double precision; nothing is changed with numpy 1.

    Args:
        module: ``mxnet.metric``.
    """
    yield
    import numpy

    if int(numpy.__version__.split('.')[0]) >= 2:
        for name in ('sum_metric', 'global_sum_metric'):
            setattr(module.EvalMetric, name, _double(name))
