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
from typing import Callable, Dict, Iterator

import numpy as np

from gluon_cbam.common.errors import UsageError
from gluon_cbam.common.files import PathLike
from gluon_cbam.common.packages import import_optional

from .context import BenchmarkContext
from .workload import Workload

Run = Callable[[np.ndarray], np.ndarray]
"""Function from a batch to the first output; the next call may overwrite its result."""


def onnxruntime_run(path: PathLike, batch: np.ndarray, threads: int) -> Run:
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
    return lambda batch: session.run(None, {name: batch})[0]


def openvino_run(path: PathLike, batch: np.ndarray, threads: int) -> Run:
    """The same in OpenVINO; a dynamic batch is set to the shape of ``batch``, as OpenVINO recommends."""
    openvino = import_optional('openvino')
    core = openvino.Core()
    model = core.read_model(str(path))
    model.reshape(list(batch.shape))
    settings = {'INFERENCE_NUM_THREADS': threads, 'INFERENCE_PRECISION_HINT': 'f32', 'PERFORMANCE_HINT': 'LATENCY'}
    request = core.compile_model(model, 'CPU', settings).create_infer_request()

    def run(batch: np.ndarray) -> np.ndarray:
        request.infer({0: batch})
        return request.get_output_tensor(0).data

    return run


RUNS: Dict[str, Callable[[PathLike, np.ndarray, int], Run]] = {
    'onnxruntime': onnxruntime_run,
    'openvino': openvino_run,
}
"""Engine -> function that loads a file."""


def export(context: BenchmarkContext, path: str) -> None:
    """Write the network of a context, with random weights, as an ONNX file, and compare it with MXNet.

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
    export_network(ExportRequest(loaded, engine=context.engine), 'onnx', path, images)


@contextmanager
def predict(context: BenchmarkContext) -> Iterator[Workload]:
    """Inference on a batch of noise.

    Args:
        context: description of the measurement, whose engine is a key of :data:`RUNS`.

    Yields:
        The workload.

    Raises:
        UsageError: other devices than the CPU.
        DependencyError: the engine or ``onnx`` is not installed.
    """
    if context.gpus is not None or (context.cpus or 1) > 1:
        raise UsageError(f'{context.engine} is compared on the CPU, as one device: leave --gpus and --cpus out')
    with tempfile.TemporaryDirectory(prefix='cbam-bench-') as folder:
        path = str(Path(folder) / f'{context.network}.onnx')
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context('spawn')) as pool:
            pool.submit(export, context, path).result()
        shape = (context.batch, context.channels, *context.shape)
        batch = np.random.RandomState(0).standard_normal(shape).astype(np.float32)
        run = RUNS[context.engine](path, batch, context.threads)
        yield Workload(context.batch, partial(run, batch), lambda: None, 'cpu')
