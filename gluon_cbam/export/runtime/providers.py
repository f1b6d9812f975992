"""The execution providers of ONNX Runtime: each is a row with its package, devices, precisions and options.

Only ``cpu`` and ``openvino`` on a CPU were run here. Names and values of options are those of ONNX Runtime's sources
(``*_execution_provider_info.cc``, ``coreml_options.cc``, ``onnxruntime_pybind_state.cc``), which refuse others.
"""

from __future__ import annotations

import os
import platform
from typing import Callable, Dict, List, NamedTuple, Optional, Tuple

from gluon_cbam.common.errors import EnvironmentProblem, UsageError, closest
from gluon_cbam.common.listing import listed
from gluon_cbam.export.precision import FLOAT16, FLOAT32, INT8, TF32
from gluon_cbam.zoo.location import root_of

from .devices import ReadDevice, compute_units, no_device, numbered_device, nvidia_gpus, openvino_device
from .placement import Placement

Options = Callable[[Placement], Dict[str, str]]
DEFAULT = 'cpu'
"""The provider where none is given."""


class Provider(NamedTuple):
    """An execution provider.

    Attributes:
        stack: ONNX Runtime's names with their options, in order of preference; the CPU comes after them.
        package: what pip installs.
        device: reads the name of a device.
        precisions: the precisions of the arithmetic that can be chosen, the default first.
        files: the precisions of files that it takes.
        memory: ONNX Runtime's name of the device that batches are copied to; None where ONNX Runtime copies them.
        system: the system that it exists on, as ``platform.system()`` names it; None for several.
        gpus: finds the GPUs; a description for each, empty if they cannot be counted.
        exact_devices: devices that compute in float32 only.
        memory_pattern: whether ONNX Runtime may plan the memory of a whole run in advance.
    """

    stack: Tuple[Tuple[str, Options], ...]
    package: str
    device: ReadDevice = numbered_device
    precisions: Tuple[str, ...] = (FLOAT32,)
    files: Tuple[str, ...] = (FLOAT32, FLOAT16)
    memory: Optional[str] = None
    system: Optional[str] = None
    gpus: Callable[[], List[str]] = list
    exact_devices: Tuple[str, ...] = ()
    memory_pattern: bool = True

    @property
    def name(self) -> str:
        """ONNX Runtime's name of it."""
        return self.stack[0][0]


def _cpu(placement: Placement) -> Dict[str, str]:
    return {}


def _cuda(placement: Placement) -> Dict[str, str]:
    return {
        'device_id': str(placement.device),
        'use_tf32': str(int(placement.precision == TF32)),  # on by default, which is 1e-3 off
        'cudnn_conv_algo_search': 'HEURISTIC',  # an exhaustive search would begin anew for each size of a batch
    }


def _tensorrt(placement: Placement) -> Dict[str, str]:
    if placement.coarsest == FLOAT32:  # there is no option: onnxruntime issue 26029; CUDA reads it once in a process
        os.environ.setdefault('NVIDIA_TF32_OVERRIDE', '0')
    cache = root_of().parent / 'tensorrt' / placement.coarsest
    cache.mkdir(parents=True, exist_ok=True)
    return {
        'device_id': str(placement.device),
        'trt_fp16_enable': str(int(placement.coarsest == FLOAT16)),  # TensorRT 10; 11 obeys the file alone
        'trt_engine_cache_enable': '1',  # building an engine takes minutes
        'trt_engine_cache_path': str(cache),
        'trt_timing_cache_enable': '1',
    }


def _migraphx(placement: Placement) -> Dict[str, str]:
    return {'device_id': str(placement.device), 'migraphx_fp16_enable': str(int(placement.precision == FLOAT16))}


def _openvino(placement: Placement) -> Dict[str, str]:
    precision = {FLOAT32: 'FP32', FLOAT16: 'FP16'}[placement.precision]
    options = {'device_type': str(placement.device), 'precision': precision}
    return {**options, 'num_of_threads': str(placement.threads)} if placement.device == 'CPU' else options


def _coreml(placement: Placement) -> Dict[str, str]:
    return {'ModelFormat': 'MLProgram', 'MLComputeUnits': str(placement.device), 'RequireStaticInputShapes': '0'}


def _directml(placement: Placement) -> Dict[str, str]:
    return {'device_id': str(placement.device)}


_NVIDIA = 'onnxruntime-gpu[cuda,cudnn]'
PROVIDERS: Dict[str, Provider] = {
    'cpu': Provider(
        (('CPUExecutionProvider', _cpu),), 'onnxruntime', device=no_device, files=(FLOAT32, FLOAT16, INT8)
    ),
    'cuda': Provider(
        (('CUDAExecutionProvider', _cuda),), _NVIDIA,
        precisions=(FLOAT32, TF32), memory='cuda', gpus=nvidia_gpus,
    ),
    'tensorrt': Provider(
        (('TensorrtExecutionProvider', _tensorrt), ('CUDAExecutionProvider', _cuda)), f'{_NVIDIA} tensorrt',
        precisions=(FLOAT32, TF32, FLOAT16), memory='cuda', gpus=nvidia_gpus,
    ),
    'rocm': Provider(
        (('MIGraphXExecutionProvider', _migraphx),), 'onnxruntime-migraphx', precisions=(FLOAT32, FLOAT16)
    ),
    'openvino': Provider(
        (('OpenVINOExecutionProvider', _openvino),), 'onnxruntime-openvino',
        device=openvino_device, precisions=(FLOAT32, FLOAT16), files=(FLOAT32, FLOAT16, INT8), exact_devices=('CPU',),
    ),
    'coreml': Provider((('CoreMLExecutionProvider', _coreml),), 'onnxruntime', device=compute_units, system='Darwin'),
    'directml': Provider(
        (('DmlExecutionProvider', _directml),), 'onnxruntime-directml',
        memory='dml', system='Windows', memory_pattern=False,
    ),
}  # fmt: skip
"""Name, as ``--provider`` takes it -> the provider."""


def place_on_provider(
    provider: Optional[str], device: Optional[str], precision: Optional[str], threads: int, numbers: str
) -> Placement:
    """Check what a user chose for ONNX Runtime.

    Args:
        provider: a key of :data:`PROVIDERS`; None for the CPU.
        device: the device; None for the first one.
        precision: the precision of the arithmetic; None for float32.
        threads: number of threads on the CPU.
        numbers: the precision of the file.

    Returns:
        The placement, with every default filled in.

    Raises:
        UsageError: an unknown provider, or a device, a precision or a file that it does not take.
        EnvironmentProblem: the provider does not exist on this system, or the device does not exist.
    """
    name = DEFAULT if provider is None else provider
    if name not in PROVIDERS:
        raise UsageError(f'unknown provider {name!r}: {closest(name, PROVIDERS)}')
    row = PROVIDERS[name]
    precision = row.precisions[0] if precision is None else precision
    if precision not in row.precisions:
        raise UsageError(f'provider {name} computes in {listed(row.precisions, "or")}, got precision {precision!r}')
    if numbers not in row.files:
        raise UsageError(f'provider {name} takes files in {listed(row.files, "or")}, this one is in {numbers}')
    device = row.device(device)
    if device in row.exact_devices and precision != FLOAT32:
        raise UsageError(f'device {device} of provider {name} computes in float32, got precision {precision!r}')
    if row.system not in (None, platform.system()):
        system = {'Darwin': 'macOS'}.get(str(row.system), row.system)
        raise EnvironmentProblem(f'provider {name} exists on {system} only, this is {platform.system()}')
    found = row.gpus()
    if found and int(device or 0) >= len(found):
        there = ', '.join(f'{number} ({text})' for number, text in enumerate(found))
        raise EnvironmentProblem(f'provider {name} has no device {device}: there is {there}')
    return Placement(name, device, precision, threads, numbers)
