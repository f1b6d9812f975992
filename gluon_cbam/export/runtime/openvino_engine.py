"""OpenVINO, with its own names of devices."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence

import numpy as np

from gluon_cbam.common.errors import EnvironmentProblem, UsageError
from gluon_cbam.common.packages import import_optional
from gluon_cbam.export.precision import FLOAT16, FLOAT32

from .devices import openvino_device
from .onnxruntime_engine import first_line, unusable
from .placement import Placement, Start

_HINTS = {FLOAT32: 'f32', FLOAT16: 'f16'}
_CPU = 'CPU'


def place_on_openvino(
    provider: Optional[str], device: Optional[str], precision: Optional[str], threads: int, numbers: str
) -> Placement:
    """Check what a user chose for OpenVINO.

    Args:
        provider: None; providers are ONNX Runtime's.
        device: a name such as ``CPU``, the default, or ``GPU.0``.
        precision: float32, the default, or float16.
        threads: number of threads on the CPU.
        numbers: the precision of the file.

    Returns:
        The placement, with every default filled in.

    Raises:
        UsageError: a provider is given, or a device or a precision that does not exist.
    """
    if provider is not None:
        raise UsageError(
            f'providers are for the engine onnxruntime, got {provider!r}: leave it out and give a device, such as GPU.0'
        )
    precision = precision or FLOAT32
    if precision not in _HINTS:
        raise UsageError(f'openvino computes in {" or ".join(_HINTS)}, got precision {precision!r}')
    return Placement(None, openvino_device(device), precision, threads, numbers)


def start_openvino(path: Path, placement: Placement) -> Start:
    """Load an ONNX file in OpenVINO.

    Args:
        path: the file.
        placement: see :func:`place_on_openvino`.

    Returns:
        A function that starts a batch; a batch is copied to the device when it is computed.

    Raises:
        DependencyError: OpenVINO is not installed.
        EnvironmentProblem: the device does not exist or cannot be used.
        UsageError: the device does not compute in this precision.
        DataError: the file is damaged.
    """
    openvino = import_optional('openvino')
    device = str(placement.device)
    core = openvino.Core()
    _check_device(device, core.available_devices)
    try:
        model = core.read_model(str(path))
        compiled = core.compile_model(model, device, _settings(placement))
    except Exception as error:
        raise _failed(core, path, device, error) from error
    _check_precision(openvino, compiled, placement)
    request = compiled.create_infer_request()

    def run(batch: np.ndarray) -> List[np.ndarray]:
        request.infer({0: batch})
        return [np.array(request.get_output_tensor(number).data) for number in range(len(compiled.outputs))]

    return lambda batch: partial(run, batch)


def openvino_devices() -> Dict[str, str]:
    """The devices that OpenVINO finds: their full names by name."""
    core = import_optional('openvino').Core()
    return {name: str(core.get_property(name, 'FULL_DEVICE_NAME')) for name in core.available_devices}


def _settings(placement: Placement) -> Dict[str, Any]:
    # float32 where the CPU would otherwise choose bfloat16, and a GPU float16
    settings = {'INFERENCE_PRECISION_HINT': _HINTS[placement.precision], 'PERFORMANCE_HINT': 'LATENCY'}
    return {**settings, 'INFERENCE_NUM_THREADS': placement.threads} if placement.device == _CPU else settings


def _check_device(device: str, found: Sequence[str]) -> None:
    # a single GPU is named GPU, several are named GPU.0, GPU.1, ...; both GPU and GPU.0 name the first
    names = {*found, *('GPU.0' for name in found if name == 'GPU'), *('GPU' for name in found if name == 'GPU.0')}
    if device not in names:
        raise EnvironmentProblem(f'OpenVINO finds no device {device}, only {", ".join(found) or "none"}')


def _failed(core: Any, path: Path, device: str, error: Exception) -> Exception:
    if device != _CPU:
        try:
            core.compile_model(core.read_model(str(path)), _CPU)
        except Exception as damaged:
            return unusable(path, 'OpenVINO', damaged)
        return EnvironmentProblem(f'OpenVINO cannot use device {device}: {first_line(error)}')
    return unusable(path, 'OpenVINO', error)


def _check_precision(openvino: Any, compiled: Any, placement: Placement) -> None:
    """A device that cannot compute in the precision of the hint takes another one in silence."""
    taken = compiled.get_property('INFERENCE_PRECISION_HINT')
    wanted = getattr(openvino.Type, _HINTS[placement.precision])
    if taken != wanted:
        raise UsageError(
            f'device {placement.device} computes in {taken.get_type_name()}, not in {placement.precision}: '
            f'give another precision'
        )
