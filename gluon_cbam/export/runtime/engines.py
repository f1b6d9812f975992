"""The engines that run exported files: ONNX Runtime and OpenVINO for ONNX, stock MXNet for symbols."""

from __future__ import annotations

from pathlib import Path
from typing import Callable, Dict, List, Tuple, Union

import numpy as np

from gluon_cbam.common.errors import DataError, UsageError, closest
from gluon_cbam.common.packages import import_optional, is_installed
from gluon_cbam.export.metadata import SYMBOL_SUFFIX

Run = Callable[[np.ndarray], List[np.ndarray]]
"""Function from a batch to all outputs."""


def onnxruntime_session(model: Union[str, bytes], threads: int) -> Run:
    """Load an ONNX model in ONNX Runtime on the CPU.

    Args:
        model: path of a file, or the bytes of one.
        threads: the number of threads of the session.

    Returns:
        A function from a batch to all outputs.

    Raises:
        DependencyError: ONNX Runtime is not installed.
    """
    runtime = import_optional('onnxruntime')
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    # without VNNI, sums of products of eight bits saturate otherwise: 0.958 instead of 0.981 top-1 on digits
    options.add_session_config_entry('session.x64quantprecision', '1')
    options.log_severity_level = 3  # from 1.18 on it warns once for every initializer that it folds
    session = runtime.InferenceSession(model, options, providers=['CPUExecutionProvider'])
    name = session.get_inputs()[0].name
    return lambda batch: session.run(None, {name: batch})


def _onnxruntime(path: Path, threads: int) -> Run:
    import_optional('onnxruntime')
    try:
        return onnxruntime_session(str(path), threads)
    except Exception as error:
        raise _unusable(path, 'ONNX Runtime', error) from error


def _openvino(path: Path, threads: int) -> Run:
    openvino = import_optional('openvino')
    # float32 where the CPU would otherwise choose bfloat16
    settings = {'INFERENCE_NUM_THREADS': threads, 'INFERENCE_PRECISION_HINT': 'f32', 'PERFORMANCE_HINT': 'LATENCY'}
    try:
        core = openvino.Core()
        compiled = core.compile_model(core.read_model(str(path)), 'CPU', settings)
    except Exception as error:
        raise _unusable(path, 'OpenVINO', error) from error
    request = compiled.create_infer_request()

    def run(batch: np.ndarray) -> List[np.ndarray]:
        request.infer({0: batch})
        return [np.array(request.get_output_tensor(number).data) for number in range(len(compiled.outputs))]

    return run


def _mxnet(path: Path, threads: int) -> Run:
    from gluon_cbam.export.symbol import load_symbol  # imports mxnet

    return load_symbol(path)


def _unusable(path: Path, engine: str, error: Exception) -> DataError:
    reason = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
    return DataError(f'{path}: {engine} cannot load it: {reason[:300]}')


_ENGINES: Dict[str, Dict[str, Callable[[Path, int], Run]]] = {
    '.onnx': {'onnxruntime': _onnxruntime, 'openvino': _openvino},
    SYMBOL_SUFFIX: {'mxnet': _mxnet},
}
"""Suffix -> engine -> function of path and threads; the first engine that is installed is the default."""


def find_engine(path: Path, engine: str) -> Tuple[str, Callable[[Path, int], Run]]:
    """Find the engine for a file.

    Args:
        path: the path of the file.
        engine: its name, or ``auto`` for the first one that is installed.

    Returns:
        The name of the engine, and a function of the path and the number of threads that loads the file.

    Raises:
        UsageError: an unknown engine, or one that does not run this kind of file.
    """
    kind = SYMBOL_SUFFIX if path.name.endswith(SYMBOL_SUFFIX) else path.suffix
    if kind not in _ENGINES:
        raise UsageError(f'exported files end in {" or ".join(_ENGINES)}, got {str(path)!r}')
    engines = _ENGINES[kind]
    known = [name for table in _ENGINES.values() for name in table]
    if engine not in ('auto', *known):
        raise UsageError(f'unknown engine {engine!r}: {closest(engine, ["auto", *known])}')
    if engine == 'auto':
        engine = next((name for name in engines if is_installed(name)), next(iter(engines)))
    if engine not in engines:
        raise UsageError(f'{engine} does not run {path.name}: use {" or ".join(engines)}')
    return engine, engines[engine]
