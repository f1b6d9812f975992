"""Workloads of the official network, exported by PyTorch: what its users run in ONNX Runtime and OpenVINO."""

from __future__ import annotations

from contextlib import contextmanager
from typing import Dict, Iterator

from gluon_cbam.benchmarks.context import BenchmarkContext
from gluon_cbam.benchmarks.onnx_workloads import inference, written_by
from gluon_cbam.benchmarks.reference import noise
from gluon_cbam.benchmarks.workload import Workload

_OPSET = 17


@contextmanager
def predict(context: BenchmarkContext) -> Iterator[Workload]:
    """Inference on a batch of noise; the engine is ONNX Runtime or OpenVINO."""
    with written_by(export, context) as path:
        yield inference(context, path)


def export(context: BenchmarkContext, path: str) -> None:
    """Write the file for batches of the size of the context; for single images, where the engine takes those."""
    _export(context, path, 1 if context.engine == 'openvino throughput' else context.batch, {})


def export_any_batch(context: BenchmarkContext, path: str) -> None:
    """Write the file for batches of any size."""
    _export(context, path, 1, {'images': {0: 'batch'}, 'outputs': {0: 'batch'}})


def _export(context: BenchmarkContext, path: str, batch: int, axes: Dict[str, Dict[int, str]]) -> None:
    import torch

    from gluon_cbam.benchmarks.torch_workloads import load_weights, network

    net = network(context).eval()
    load_weights(net, context)
    torch.onnx.export(
        net, (torch.from_numpy(noise(context.replace(batch=batch))),), path, input_names=['images'],
        output_names=['outputs'], dynamic_axes=axes, opset_version=_OPSET, dynamo=False,
    )  # fmt: skip
