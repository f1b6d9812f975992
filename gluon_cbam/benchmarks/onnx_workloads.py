"""Workloads of exported networks: ONNX Runtime and OpenVINO, each with an ONNX file that is optimized for it.

The file is written and compared with MXNet in a process of its own, so that the benchmark process has neither the
memory nor the threads of MXNet.
"""

from __future__ import annotations

import multiprocessing
import tempfile
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, NamedTuple, Optional

import numpy as np

from gluon_cbam.common.errors import UsageError
from gluon_cbam.common.files import PathLike
from gluon_cbam.common.packages import import_optional

from .context import BenchmarkContext
from .reference import noise
from .workload import Workload

Write = Callable[[BenchmarkContext, str], None]
"""Function that writes the network of a context to the path of an ONNX file."""


class LoadedFile(NamedTuple):
    """A file that an engine has loaded.

    Attributes:
        run: function from a batch to the first output; the next call may overwrite its result.
        settings: the settings that the engine reports, as values for JSON.
    """

    run: Callable[[np.ndarray], np.ndarray]
    settings: Dict[str, Any]


def onnxruntime_file(path: PathLike, batch: np.ndarray, threads: int) -> LoadedFile:
    """Load an ONNX file in ONNX Runtime, on the CPU.

    Args:
        path: the file.
        batch: a batch of the shape of those that follow, float32.
        threads: number of threads.
    """
    onnxruntime = import_optional('onnxruntime')
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = threads, 3
    session = onnxruntime.InferenceSession(str(path), options, providers=['CPUExecutionProvider'])
    name = session.get_inputs()[0].name
    return LoadedFile(lambda batch: session.run(None, {name: batch})[0], {'providers': session.get_providers()})


def openvino_file(path: PathLike, batch: np.ndarray, threads: int) -> LoadedFile:
    """The same in OpenVINO, for the shortest time of a batch."""
    compiled, settings = _openvino_model(path, batch, threads, 'LATENCY')
    request = compiled.create_infer_request()

    def run(batch: np.ndarray) -> np.ndarray:
        request.infer({0: batch})
        return request.get_output_tensor(0).data

    return LoadedFile(run, settings)


def openvino_throughput_file(path: PathLike, batch: np.ndarray, threads: int) -> LoadedFile:
    """The same in OpenVINO for the most images in a time: each image is a request, for several streams of threads."""
    compiled, settings = _openvino_model(path, batch[:1], threads, 'THROUGHPUT')
    queue, outputs = import_optional('openvino').AsyncInferQueue(compiled), [np.empty(0)] * len(batch)
    queue.set_callback(lambda request, place: outputs.__setitem__(place, request.get_output_tensor(0).data.copy()))

    def run(batch: np.ndarray) -> np.ndarray:
        for place in range(len(batch)):
            queue.start_async({0: batch[place : place + 1]}, place)
        queue.wait_all()
        return np.concatenate(outputs)

    return LoadedFile(run, settings)


_OPENVINO_SETTINGS = (
    'INFERENCE_PRECISION_HINT',
    'PERFORMANCE_HINT',
    'INFERENCE_NUM_THREADS',
    'NUM_STREAMS',
    'ENABLE_HYPER_THREADING',
)


def _openvino_model(path: PathLike, batch: np.ndarray, threads: int, hint: str) -> Any:
    """A compiled model and its settings; a dynamic batch is set to the shape of ``batch``, as OpenVINO recommends.

    By itself, OpenVINO computes in bfloat16 on processors with AMX.
    """
    core = import_optional('openvino').Core()
    model = core.read_model(str(path))
    model.reshape(list(batch.shape))
    settings = {'INFERENCE_NUM_THREADS': threads, 'INFERENCE_PRECISION_HINT': 'f32', 'PERFORMANCE_HINT': hint}
    compiled = core.compile_model(model, 'CPU', settings)
    return compiled, {name: _as_json(compiled.get_property(name)) for name in _OPENVINO_SETTINGS}


def _as_json(value: Any) -> Any:
    """A property of OpenVINO; types of numbers and hints are named as OpenVINO's settings name them."""
    if isinstance(value, (bool, int, str)):
        return value
    return value.get_type_name() if hasattr(value, 'get_type_name') else str(getattr(value, 'name', value))


LOADERS: Dict[str, Callable[[PathLike, np.ndarray, int], LoadedFile]] = {
    'onnxruntime': onnxruntime_file,
    'openvino': openvino_file,
    'openvino throughput': openvino_throughput_file,
}
"""Engine -> function that loads a file."""


def export(context: BenchmarkContext, path: str) -> None:
    """Write the network of a context as an ONNX file, and compare it with MXNet.

    Args:
        context: description of the measurement; its engine is the one that the file is optimized for.
        path: the file.

    Raises:
        CbamError: the network cannot be built or exported, or the outputs differ.
    """
    import mxnet as mx

    from gluon_cbam.export.exporter import export_network
    from gluon_cbam.export.request import ExportRequest
    from gluon_cbam.export.samples import sample_images

    from .cbam_workloads import load

    loaded = load(context, [mx.cpu()])
    images = sample_images(loaded.preprocessing.image_size)
    export_network(ExportRequest(loaded, engine=context.engine.partition(' ')[0]), 'onnx', path, images)


@contextmanager
def predict(context: BenchmarkContext) -> Iterator[Workload]:
    """Inference on a batch of noise.

    Args:
        context: description of the measurement, whose engine is a key of :data:`LOADERS`.

    Yields:
        The workload.

    Raises:
        UsageError: other devices than the CPU.
        DependencyError: the engine or ``onnx`` is not installed.
    """
    with written_by(export, context) as path:
        yield inference(context, path)


@contextmanager
def written_by(write: Write, context: BenchmarkContext, suffix: str = '.onnx') -> Iterator[str]:
    """A file of the network of a context, which another process writes.

    Args:
        write: writes the file; a function of a module.
        context: description of the measurement.
        suffix: the suffix of the file.

    Yields:
        The path of the file.

    Raises:
        UsageError: other devices than the CPU.
        CbamError: the error of ``write``.
    """
    if context.gpus is not None or (context.cpus or 1) > 1:
        raise UsageError(f'{context.engine} is compared on the CPU, as one device: leave --gpus and --cpus out')
    with tempfile.TemporaryDirectory(prefix='cbam-bench-') as folder:
        path = str(Path(folder) / f'{context.network}{suffix}')
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context('spawn')) as pool:
            pool.submit(write, context, path).result()
        yield path


def inference(
    context: BenchmarkContext,
    path: PathLike,
    tolerance: Optional[float] = None,
    settings: Optional[Dict[str, Any]] = None,
) -> Workload:
    """Inference of a file on a batch of noise.

    Args:
        context: description of the measurement, whose engine is a key of :data:`LOADERS`.
        path: the file, with the weights of the reference if there is one.
        tolerance: see :class:`.workload.Workload`.
        settings: further settings for the report, as values for JSON.
    """
    batch = noise(context)
    loaded = LOADERS[context.engine](path, batch, context.threads)
    call = partial(loaded.run, batch)
    details = {'settings': {**loaded.settings, **(settings or {})}}
    return Workload(context.batch, call, lambda: None, 'cpu', details, call, tolerance)
