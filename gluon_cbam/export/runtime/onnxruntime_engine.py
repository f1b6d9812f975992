"""ONNX Runtime: sessions on its execution providers, and what to do where a provider is not there."""

from __future__ import annotations

import re
import warnings
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any, Callable, Iterator, List, Union

import numpy as np

from gluon_cbam.common.errors import CbamError, DataError, DependencyError, EnvironmentProblem, RunError
from gluon_cbam.common.packages import import_optional, is_installed

from .captured import captured, reason_in
from .installed import onnxruntime_packages
from .placement import Placement, Run, Start
from .providers import DEFAULT, PROVIDERS, Provider

_NEWEST_OPSET = re.compile(r'official support for domain ai\.onnx is till opset (\d+)')  # in ONNX Runtime's error
_NVIDIA = 'cuda'  # the memory of NVIDIA's GPUs


def start_onnxruntime(path: Path, placement: Placement) -> Start:
    """Load an ONNX file in ONNX Runtime.

    Args:
        path: the file.
        placement: see :func:`gluon_cbam.export.runtime.providers.place_on_provider`.

    Returns:
        A function that starts a batch.

    Raises:
        DependencyError: ONNX Runtime or the provider is not installed, or cannot be loaded. The CPU never takes over.
        DataError: the file is damaged.
    """
    provider = PROVIDERS[str(placement.provider)]
    runtime = _runtime(provider, placement)
    if placement.provider == DEFAULT:
        return _on_cpu(_cpu_session(runtime, path, placement.threads))
    session = _session(runtime, path, provider, placement)
    start = _on_device(runtime, session, provider, placement) if provider.memory else _on_cpu(session)
    return _guarded(start, placement)


def onnxruntime_session(model: Union[Path, bytes], threads: int) -> Run:
    """Load an ONNX model in ONNX Runtime on the CPU.

    Args:
        model: path of a file, or the bytes of one.
        threads: the number of threads of the session.

    Returns:
        A function from a batch to all outputs.

    Raises:
        DependencyError: ONNX Runtime is not installed, or older than the opset of the model.
        DataError: the file is damaged.
    """
    start = _on_cpu(_cpu_session(import_optional('onnxruntime'), model, threads))
    return lambda batch: start(batch)()


def unusable(model: Union[Path, bytes], engine: str, error: Exception) -> CbamError:
    """The error for a file that an engine cannot load: it is damaged, or the engine is older than the file's opset."""
    name = 'the model' if isinstance(model, bytes) else str(model)
    newest = _NEWEST_OPSET.search(str(error))
    if newest:
        return DependencyError(
            f'{name}: this {engine} runs opsets up to {newest[1]}: update it, or export with --opset {newest[1]}'
        )
    return DataError(f'{name}: {engine} cannot load it: {first_line(error)}')


def first_line(error: Exception) -> str:
    """The first line of an error's message that is not empty; of bounded length."""
    return next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)[:300]


def _runtime(provider: Provider, placement: Placement) -> ModuleType:
    """Import ONNX Runtime, and check that its build has the provider."""
    name, install = placement.provider, f"pip install '{provider.package}'".replace(' tensorrt', "' 'tensorrt")
    if name != DEFAULT and not is_installed('onnxruntime'):
        raise DependencyError(f'onnxruntime is not installed: for provider {name}, {install}')
    runtime = import_optional('onnxruntime')
    if provider.name in runtime.get_available_providers():
        return runtime
    packages = onnxruntime_packages()
    built = ' and '.join(f'{package} {version}' for package, version in packages.items()) or 'the installed onnxruntime'
    if len(packages) > 1:
        what = f'{built} are installed over each other, and what is left has no provider {name}'
    else:
        has = ', '.join(key for key, row in PROVIDERS.items() if row.name in runtime.get_available_providers())
        what = f'{built} has no provider {name}, only {has}'
    raise DependencyError(f'{what}: pip uninstall {" ".join(packages) or "onnxruntime"}, then {install}')


def _cpu_session(runtime: ModuleType, model: Union[Path, bytes], threads: int) -> Any:
    options = _options(runtime, threads)
    try:
        given = model if isinstance(model, bytes) else str(model)
        # without enable_fallback, it writes to standard output before it tries again
        return runtime.InferenceSession(given, options, providers=[PROVIDERS[DEFAULT].name], enable_fallback=0)
    except Exception as error:  # ONNX Runtime raises errors of many classes
        raise unusable(model, 'ONNX Runtime', error) from error


def _options(runtime: ModuleType, threads: int) -> Any:
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    # without VNNI, sums of products of eight bits saturate otherwise: 0.958 instead of 0.981 top-1 on digits
    options.add_session_config_entry('session.x64quantprecision', '1')
    options.log_severity_level = 3  # from 1.18 on it warns once for every initializer that it folds
    return options


def _session(runtime: ModuleType, path: Path, provider: Provider, placement: Placement) -> Any:
    """A session on a provider, and never on the CPU, which ONNX Runtime takes with a warning if a provider fails."""
    lines: List[str] = []
    try:
        with captured() as lines, warnings.catch_warnings():
            warnings.simplefilter('ignore')
            session = _open(runtime, path, provider, placement)
    except Exception as error:
        _cpu_session(runtime, path, placement.threads)  # a damaged file is another error
        raise _failed(provider, placement, lines, error) from error
    if not _computes(session, provider):
        raise EnvironmentProblem(f'provider {placement.text} takes no operator of {path}: the CPU would compute all')
    return session


def _open(runtime: ModuleType, path: Path, provider: Provider, placement: Placement) -> Any:
    options = _options(runtime, placement.threads)
    options.enable_mem_pattern = provider.memory_pattern
    options.add_session_config_entry('session.record_ep_graph_assignment_info', '1')
    if provider.memory == _NVIDIA and hasattr(runtime, 'preload_dlls'):
        runtime.preload_dlls()  # the libraries of NVIDIA's packages from pip
    providers: List[Any] = [(name, make(placement)) for name, make in provider.stack]
    providers.append(PROVIDERS[DEFAULT].name)
    session = runtime.InferenceSession(str(path), options, providers=providers, enable_fallback=0)
    if session.get_providers()[0] != provider.name:
        raise EnvironmentProblem('it cannot be loaded')
    return session


def _failed(provider: Provider, placement: Placement, lines: List[str], error: Exception) -> DependencyError:
    none = ' (no GPU was found)' if provider.memory == _NVIDIA and not provider.gpus() else ''
    reason = reason_in(lines) or first_line(error)
    needed = f'it needs {provider.package}, a driver and the device'
    return DependencyError(f'provider {placement.text} cannot be used{none}: {reason}; {needed}')


def _computes(session: Any, provider: Provider) -> bool:
    """Whether the provider takes an operator at all; ONNX Runtime before 1.24 does not tell."""
    if not hasattr(session, 'get_provider_graph_assignment_info'):
        return True
    names = {part.ep_name for part in session.get_provider_graph_assignment_info()}
    return not names or bool(names.intersection(name for name, _ in provider.stack))


def _on_cpu(session: Any) -> Start:
    """Batches stay in the memory of the CPU, or ONNX Runtime copies them."""
    name = session.get_inputs()[0].name
    return lambda batch: partial(session.run, None, {name: batch})


def _on_device(runtime: ModuleType, session: Any, provider: Provider, placement: Placement) -> Start:
    """Batches are copied to the device when they are started, also while another batch is computed."""
    name, outputs = session.get_inputs()[0].name, [output.name for output in session.get_outputs()]
    number = int(placement.device or 0)

    def start(batch: np.ndarray) -> Callable[[], List[np.ndarray]]:
        binding = session.io_binding()
        binding.bind_ortvalue_input(
            name, runtime.OrtValue.ortvalue_from_numpy(np.ascontiguousarray(batch), provider.memory, number)
        )
        for output in outputs:
            binding.bind_output(output)  # in the memory of the CPU

        def run() -> List[np.ndarray]:
            session.run_with_iobinding(binding)
            return binding.copy_outputs_to_cpu()

        return run

    return start


def _guarded(start: Start, placement: Placement) -> Start:
    """The same function, whose errors, most often that the device's memory is full, are of this package."""

    def guarded(batch: np.ndarray) -> Callable[[], List[np.ndarray]]:
        with _device_errors(placement):
            compute = start(batch)

        def run() -> List[np.ndarray]:
            with _device_errors(placement):
                return compute()

        return run

    return guarded


@contextmanager
def _device_errors(placement: Placement) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        message = f'provider {placement.text} failed: {first_line(error)}; a smaller batch needs less memory'
        raise RunError(message) from error
