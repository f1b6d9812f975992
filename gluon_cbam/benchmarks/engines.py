"""The table of engines and modes, and the workload for each pair."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from importlib import import_module, metadata
from typing import Any, Dict, Iterator, Optional, Tuple

from gluon_cbam.common import memory
from gluon_cbam.common.errors import UsageError, closest

from .context import BenchmarkContext
from .workload import Workload

ENGINES: Dict[str, Dict[str, str]] = {
    'gluon_cbam': {
        'predict': 'cbam_workloads:predict',
        'train': 'cbam_workloads:train',
        'validate': 'cbam_workloads:validate',
        'loader': 'loader_workloads:training_loader',
    },
    'gluoncv2': {
        'predict': 'gluoncv2_workloads:predict',
        'train': 'gluoncv2_workloads:train',
        'validate': 'gluoncv2_workloads:validate',
    },
    'gluoncv': {'predict': 'gluoncv_workloads:predict', 'train': 'gluoncv_workloads:train'},
    'gluoncv fused': {'predict': 'gluoncv_workloads:predict', 'train': 'gluoncv_workloads:train'},
    'torch': {'predict': 'torch_workloads:predict', 'train': 'torch_workloads:train'},
    'torch channels_last': {'predict': 'torch_workloads:predict', 'train': 'torch_workloads:train'},
    'torch compiled': {'predict': 'torch_workloads:predict', 'train': 'torch_workloads:train'},
    'onnxruntime': {'predict': 'onnx_workloads:predict'},
    'openvino': {'predict': 'onnx_workloads:predict'},
    'openvino throughput': {'predict': 'onnx_workloads:predict'},
    'cv2.imdecode': {'loader': 'loader_workloads:bare_decoding'},
}
"""Engine -> mode -> ``module:function``: a context manager that makes a :class:`~.workload.Workload` for a context. Its
module, or the function, imports what the engine needs."""

_PACKAGES = ('mxnet', 'gluoncv', 'gluoncv2', 'torch', 'onnxruntime', 'openvino', 'numpy', 'opencv-python')
_IMPORT_NAMES = {'opencv-python': 'cv2'}


def supports(engine: str, mode: str) -> bool:
    """Whether an engine has a workload for a mode.

    Args:
        engine: a key of :data:`ENGINES`.
        mode: one of :data:`gluon_cbam.benchmarks.MODES`.
    """
    return mode in ENGINES[engine]


@contextmanager
def build(context: BenchmarkContext) -> Iterator[Tuple[Workload, Dict[str, Any]]]:
    """Make the workload of a context.

    Args:
        context: description of the measurement.

    Yields:
        The workload, and facts about the process: ``versions`` of packages, and ``imported_bytes``, the resident memory
        after the imports.

    Raises:
        UsageError: the engine is unknown, or has no workload for the mode.
        CbamError: the workload cannot be made.
    """
    module, _, function = _workload_name(context).partition(':')
    make = getattr(import_module(module, __package__), function)
    imported_bytes = memory.resident()
    memory.reset_peak()
    with make(context) as workload:
        yield workload, {'versions': _versions(), 'imported_bytes': imported_bytes}


def _workload_name(context: BenchmarkContext) -> str:
    """The ``module:function`` that makes the workload of a context."""
    if context.workload:
        return context.workload
    modes = ENGINES.get(context.engine)
    if modes is None:
        raise UsageError(f'unknown engine {context.engine!r}: {closest(context.engine, ENGINES)}')
    if context.mode not in modes:
        raise UsageError(f'{context.engine} cannot be measured at {context.mode!r}: {closest(context.mode, modes)}')
    return f'.{modes[context.mode]}'


def instructions() -> Optional[str]:
    """The instruction set of our compiled operators; None where no call has used them so far."""
    if 'gluon_cbam.ops.library' not in sys.modules:
        return None
    from gluon_cbam.ops.library import loaded

    library = loaded()
    return library.instructions if library else None


def _versions() -> Dict[str, str]:
    """The versions of the packages that were imported, by name."""
    versions = {}
    for name in _PACKAGES:
        if _IMPORT_NAMES.get(name, name) in sys.modules:
            try:
                versions[name] = metadata.version(name)
            except metadata.PackageNotFoundError:  # the headless build of OpenCV
                versions[name] = 'unknown'
    return versions
