"""Workloads of networks in eight bits: ours in MXNet, our ONNX file, and the official network in other tools.

All are calibrated on the same images of noise. The tools of the engines quantize PyTorch's export: ONNX Runtime's
``quantize_static`` and NNCF, each with its defaults for convolutional networks.
"""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import Dict, Iterator, List, Optional

import numpy as np

from gluon_cbam.benchmarks.context import BenchmarkContext
from gluon_cbam.benchmarks.onnx_workloads import inference, written_by
from gluon_cbam.benchmarks.reference import noise
from gluon_cbam.benchmarks.workload import Workload

from . import official

CALIBRATION_IMAGES = 32
_TOLERANCE = 0.2  # of the largest output: random weights suffer more from eight bits than trained ones
_SETTINGS = {'calibration_images': CALIBRATION_IMAGES}


def _calibration(context: BenchmarkContext) -> np.ndarray:
    """(:data:`CALIBRATION_IMAGES`, H, W, 3) uint8."""
    shape = (CALIBRATION_IMAGES, *context.shape, 3)
    return np.random.RandomState(1).randint(0, 256, shape).astype(np.uint8)


def _batches(context: BenchmarkContext) -> List[np.ndarray]:
    """The calibration images one by one, normalized, (1, 3, H, W) float32."""
    from gluon_cbam.data.loading.preprocessing import Preprocessing

    preprocessing = Preprocessing(context.image_size)
    return [preprocessing.normalize(image)[None] for image in _calibration(context)]


@contextmanager
def native(context: BenchmarkContext) -> Iterator[Workload]:
    """Our network, quantized in MXNet."""
    import mxnet as mx

    import gluon_cbam
    from gluon_cbam.benchmarks.cbam_workloads import inference as inference_in_mxnet
    from gluon_cbam.benchmarks.cbam_workloads import load

    net = gluon_cbam.quantize(load(context, [mx.cpu()]).net, np.split(np.concatenate(_batches(context)), 4))
    workload = inference_in_mxnet(context, net, mx.nd.array(noise(context)), comparable=True)
    yield workload._replace(tolerance=_TOLERANCE, details={'settings': _SETTINGS})


@contextmanager
def our_onnx(context: BenchmarkContext) -> Iterator[Workload]:
    """Our network as ``cbam export --format onnx-int8`` writes it."""
    with written_by(_export_ours, context) as path:
        yield inference(context, path, _TOLERANCE, _SETTINGS)


def _export_ours(context: BenchmarkContext, path: str) -> None:
    import mxnet as mx

    from gluon_cbam.benchmarks.cbam_workloads import load
    from gluon_cbam.export.exporter import export_network
    from gluon_cbam.export.int8.quantization import Calibration
    from gluon_cbam.export.request import ExportRequest
    from gluon_cbam.export.samples import SampleImages

    images = list(_calibration(context))
    request = ExportRequest(load(context, [mx.cpu()]), calibration=Calibration(images))
    export_network(request, 'onnx-int8', path, SampleImages(images[:8]))


@contextmanager
def official_onnxruntime(context: BenchmarkContext) -> Iterator[Workload]:
    """The official network, quantized by ONNX Runtime."""
    with written_by(_quantize_in_onnxruntime, context) as path:
        yield inference(context, path, _TOLERANCE, _SETTINGS)


def _quantize_in_onnxruntime(context: BenchmarkContext, path: str) -> None:
    from onnxruntime import quantization
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(quantization.CalibrationDataReader):
        """The calibration images, one by one."""

        def __init__(self) -> None:
            self._left = iter(_batches(context))

        def get_next(self) -> Optional[Dict[str, np.ndarray]]:
            batch = next(self._left, None)
            return None if batch is None else {'images': batch}

    floats, prepared = f'{path}.float.onnx', f'{path}.prepared.onnx'
    official.export_any_batch(context, floats)
    quant_pre_process(floats, prepared)
    quantization.quantize_static(prepared, path, Reader(), per_channel=True)


@contextmanager
def official_openvino(context: BenchmarkContext) -> Iterator[Workload]:
    """The official network, quantized by NNCF for OpenVINO."""
    with written_by(_quantize_in_nncf, context, '.xml') as path:
        yield inference(context, path, _TOLERANCE, _SETTINGS)


def _quantize_in_nncf(context: BenchmarkContext, path: str) -> None:
    import nncf
    import openvino

    floats = str(Path(path).with_suffix('.onnx'))
    official.export_any_batch(context, floats)
    model = openvino.Core().read_model(floats)
    quantized = nncf.quantize(model, nncf.Dataset(_batches(context)), subset_size=CALIBRATION_IMAGES)
    openvino.save_model(quantized, path, compress_to_fp16=False)
