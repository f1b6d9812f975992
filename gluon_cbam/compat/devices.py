"""Parsing of ``--gpus`` and ``--cpus``, and the ``mxnet.Context`` of each device."""

from __future__ import annotations

from typing import Any, List, Optional

from gluon_cbam.common.errors import EnvironmentProblem, UsageError

from . import cuda, versions

ALL = 'all'
"""The value of ``--gpus`` for every GPU that mxnet reports."""


def parse_gpus(text: str) -> Optional[List[int]]:
    """The GPU numbers in the value of ``--gpus``.

    Args:
        text: numbers and ranges such as ``0-7`` or ``0,2-3``, or ``all``.

    Returns:
        The numbers in the order of the text; None for ``all``.

    Raises:
        UsageError: the text is malformed, or names a GPU twice.
    """
    if text == ALL:
        return None
    numbers: List[int] = []
    for part in text.split(','):
        first, dash, last = part.partition('-')
        if not first.isdigit() or (dash and not last.isdigit()):
            raise UsageError(f"--gpus takes numbers and ranges such as 0-7 or 0,2-3, or 'all', got {text!r}")
        span = range(int(first), int(last if dash else first) + 1)
        if not span:
            raise UsageError(f'--gpus range {part!r} is empty: write the smaller number first')
        numbers += span
    if len(set(numbers)) < len(numbers):
        raise UsageError(f'--gpus names a GPU twice: {text!r}')
    return numbers


def contexts(gpus: Optional[str] = None, cpus: Optional[int] = None) -> List[Any]:
    """The contexts of ``--gpus`` or ``--cpus``; one CPU context without either.

    Args:
        gpus: see :func:`parse_gpus`.
        cpus: number of CPU contexts. They share the cores, so they serve to test data parallelism, not to save time.

    Returns:
        ``mxnet.Context`` of each device.

    Raises:
        UsageError: both are given, or one is malformed.
        EnvironmentProblem: this mxnet is a CPU build, a GPU does not exist, or mxnet has no code for it.
    """
    if gpus is not None and cpus is not None:
        raise UsageError(f'--gpus {gpus} and --cpus {cpus} exclude each other: give one')
    if cpus is not None and cpus < 1:
        raise UsageError(f'--cpus must be at least 1, got {cpus}')
    numbers = parse_gpus(gpus) if gpus is not None else []
    import mxnet as mx

    if gpus is None:
        return [mx.cpu(index) for index in range(cpus or 1)]
    return [mx.gpu(index) for index in _usable_gpus(numbers)]


def _usable_gpus(numbers: Optional[List[int]]) -> List[int]:
    import mxnet as mx

    if not mx.runtime.Features().is_enabled('CUDA'):
        raise EnvironmentProblem(
            "this mxnet is built for the CPU: for GPUs, 'cbam setup cu117 --force', or leave --gpus out"
        )
    present = mx.context.num_gpus()
    numbers = list(range(present)) if numbers is None else numbers
    absent = [number for number in numbers if number >= present]
    if absent or not numbers:
        raise EnvironmentProblem(f'GPU {absent[0] if absent else 0} is not there: mxnet sees {present} GPUs')
    if versions.mxnet_is_gpu_build():
        capabilities = cuda.compute_capabilities()
        for number in numbers:
            if number < len(capabilities) and not cuda.has_code_for(capabilities[number]):
                major, minor = capabilities[number]
                raise EnvironmentProblem(
                    f'GPU {number} is of compute capability {major}.{minor} and mxnet-cu117 has code for 5.0 to 8.9 '
                    'only (Maxwell to Ada): use another GPU, or the CPU'
                )
    return numbers
