"""The export formats: each is a row with a writer, which writes a file, runs it, and compares it with the network."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Tuple

from gluon_cbam.common.errors import UsageError
from gluon_cbam.compat.threads import physical_cores, usable_cpus
from gluon_cbam.weights import safetensors

from .agreement import Agreement
from .insightface import write_insightface
from .int8.calibration import Run
from .int8.quantization import quantize
from .onnx.engine_passes import optimize_for_engine
from .onnx.file import write_model
from .onnx.float16 import to_float16
from .onnx.graph import OnnxGraph, checked_opset, to_model
from .onnx.simplification import simplify
from .onnx.translation import to_onnx_graph
from .parity import check_parity, compare_outputs
from .precision import FLOAT16, FLOAT32, INT8, TOLERANCES
from .request import ExportRequest
from .runtime import ExportedNetwork, load_exported
from .runtime.evaluation import evaluate_exported, median_milliseconds
from .runtime.onnxruntime_engine import onnxruntime_session
from .samples import SampleImages
from .symbol import write_symbol

Written = Tuple[Optional[Agreement], Dict[str, Any]]
"""The agreement with MXNet, if outputs were compared, and details for the report."""


class Format(NamedTuple):
    """An export format.

    Attributes:
        suffix: the suffix of the file; None where the output is the prefix of several files.
        write: writes a request to a path, and compares it on sample images.
        detectors: whether it can hold detectors.
        graphs: whether it is written from the graph that the request asks for; see :class:`.tracing.GraphKind`.
    """

    suffix: Optional[str]
    write: Callable[[ExportRequest, Path, SampleImages], Written]
    detectors: bool = True
    graphs: bool = False


def _write_symbol(request: ExportRequest, prefix: Path, samples: SampleImages) -> Written:
    files = write_symbol(request.traced(), request.metadata(), prefix, options=request.loaded.options)
    return _compared(request, files[0], samples), {}


def _write_insightface(request: ExportRequest, prefix: Path, samples: SampleImages) -> Written:
    return _compared(request, write_insightface(request, prefix)[0], samples), {}


def _write_onnx(request: ExportRequest, path: Path, samples: SampleImages) -> Written:
    graph = _simplified_graph(request)
    optimize_for_engine(graph, request.engine)
    _save(graph, request, path)
    return _compared(request, path, samples), {'opset': request.opset}


def _simplified_graph(request: ExportRequest) -> OnnxGraph:
    checked_opset(request.opset)
    graph = to_onnx_graph(request.traced())
    simplify(graph)
    graph.name_outputs(request.output_names(len(graph.outputs)))
    return graph


def _save(graph: OnnxGraph, request: ExportRequest, path: Path) -> None:
    metadata = request.metadata()
    write_model(to_model(graph, request.opset, metadata.as_texts(), metadata.network), path)


def _write_float16(request: ExportRequest, path: Path, samples: SampleImages) -> Written:
    graph = _simplified_graph(request)
    to_float16(graph)
    _save(graph, request, path)
    agreement = _compared(request, path, samples, FLOAT16)
    return agreement, {'opset': request.opset, 'tolerance': TOLERANCES[FLOAT16]}


def _write_int8(request: ExportRequest, path: Path, samples: SampleImages) -> Written:
    if request.calibration is None:
        raise UsageError('onnx-int8 needs images to calibrate on: give --calibration FILE.rec')

    def runner(graph: OnnxGraph) -> Run:
        model = to_model(graph, request.opset, {}, 'calibration').SerializeToString()
        return onnxruntime_session(model, physical_cores())

    with TemporaryDirectory(prefix='cbam-float-') as folder:
        float_path = Path(folder) / path.name
        _write_onnx(request, float_path, samples)
        exact = load_exported(float_path)
        quantized = quantize(_simplified_graph(request), request.calibration, exact.prepare, runner)
        _save(quantized.graph, request, path)
        integer = load_exported(path)
        agreement = compare_outputs(request.loaded, integer, samples, INT8, request.sizes)
        details: Dict[str, Any] = {
            'opset': request.opset,
            'attention': quantized.attention,
            'error': quantized.error,
            'calibration_images': len(request.calibration.images),
            'speed': _speeds(exact, integer),
        }
        if request.records is not None:
            evaluations = (evaluate_exported(each, request.records, 32, usable_cpus()) for each in (exact, integer))
            details['accuracy'] = {name: each.as_dict() for name, each in zip(('float32', 'int8'), evaluations)}
    return agreement, details


def _speeds(exact: ExportedNetwork, integer: ExportedNetwork) -> List[Dict[str, float]]:
    """Milliseconds of both files, for batches of 1 and 8 images."""
    speeds = []
    for batch in (1, 8):
        float32, int8 = median_milliseconds((exact, integer), batch)
        speeds.append({'batch': batch, 'float32': float32, 'int8': int8, 'ratio': float32 / int8})
    return speeds


def _write_safetensors(request: ExportRequest, path: Path, samples: SampleImages) -> Written:
    parameters = request.loaded.net._collect_params_with_prefix()
    arrays = {name: value.data(value.list_ctx()[0]).asnumpy() for name, value in parameters.items()}
    metadata = request.metadata()
    card = {
        'network': metadata.network,
        'classes': metadata.classes,
        'preprocessing': metadata.preprocessing,
        'options': request.loaded.options,
        'class_names': metadata.class_names,
        'task': metadata.task,
    }
    safetensors.write(arrays, path, {name: value for name, value in card.items() if value is not None})
    return None, {'arrays': len(arrays)}


def _compared(request: ExportRequest, path: Path, samples: SampleImages, precision: str = FLOAT32) -> Agreement:
    """Run a file that was written, and raise RunError if its outputs differ from the network's."""
    agreement = compare_outputs(request.loaded, load_exported(path), samples, precision, request.sizes)
    check_parity(agreement, path.name, precision)
    return agreement


FORMATS: Dict[str, Format] = {
    'symbol': Format(None, _write_symbol),
    'insightface': Format(None, _write_insightface, detectors=False),
    'onnx': Format('.onnx', _write_onnx, graphs=True),
    'onnx-float16': Format('.onnx', _write_float16, graphs=True),
    'onnx-int8': Format('.onnx', _write_int8, graphs=True),
    'safetensors': Format('.safetensors', _write_safetensors),
}
"""Name of the format -> its suffix and its writer."""
