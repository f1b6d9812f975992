"""Exporting a network: traced, written beside its final place, run again, compared, and only then kept."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Dict, Iterator, List, Optional, Tuple

from gluon_cbam.common.errors import UsageError, closest
from gluon_cbam.common.files import PathLike, place
from gluon_cbam.common.packages import needed
from gluon_cbam.compat.threads import physical_cores, usable_cpus
from gluon_cbam.inference.network import LoadedNetwork
from gluon_cbam.models.features import Features
from gluon_cbam.tasks.base import Dataset
from gluon_cbam.weights import safetensors

from . import symbol
from .int8.quantization import Calibration, quantize
from .metadata import Description
from .onnx.engine_passes import optimize_for_engine
from .onnx.graph import DEFAULT_OPSET, OnnxGraph, checked_opset, to_model
from .onnx.simplification import simplify
from .onnx.translation import to_onnx_graph
from .parity import Difference, compare, require_close
from .runtime import ExportedNetwork, load_exported, onnxruntime_session
from .samples import Samples
from .scoring import evaluate, milliseconds
from .tracing import Graph, trace


@dataclass(frozen=True)
class Request:
    """What to export, and how.

    Attributes:
        loaded: the network.
        pixels: whether its preprocessing goes inside.
        opset: of ONNX.
        engine: that ONNX in float32 is tuned for, a key of :data:`.onnx.engine_passes.ENGINE_PASSES`; any engine runs it.
        calibration: for eight bits; None without.
        records: validation data that the score in eight bits is measured on; None for no score.
    """

    loaded: LoadedNetwork
    pixels: bool = False
    opset: int = DEFAULT_OPSET
    engine: str = 'onnxruntime'
    calibration: Optional[Calibration] = None
    records: Optional[Dataset] = None

    def graph(self) -> Graph:
        """The traced network."""
        preprocessing = self.loaded.preprocessing
        return trace(self.loaded.net, preprocessing.image_size, preprocessing if self.pixels else None)

    def description(self) -> Description:
        """What the file says about itself."""
        return Description.of(self.loaded, self.pixels, isinstance(self.loaded.net, Features))


@dataclass(frozen=True)
class Report:
    """What was exported.

    Attributes:
        files: that were written.
        difference: from MXNet; None for parameters, which are the same bits.
        origin: of the images that it was seen on.
        details: further figures by name.
    """

    files: List[Path]
    difference: Optional[Difference]
    origin: str
    details: Dict[str, Any]


def export(request: Request, form: str, output: PathLike, samples: Samples) -> Report:
    """Export a network.

    Args:
        request: what and how.
        form: one of :data:`FORMATS`.
        output: the file; for ``symbol`` the prefix of the files.
        samples: images that the file is compared on with MXNet.

    Raises:
        UsageError: an unknown format, an output of another ending, or a folder that is not there.
        DependencyError: a package is not installed.
        RunError: the outputs differ; nothing is kept.
    """
    if form not in FORMATS:
        raise UsageError(f'unknown format {form!r}: {closest(form, FORMATS)}')
    output, (ending, write) = Path(output), FORMATS[form]
    if ending and output.suffix != ending:
        raise UsageError(f'{form} is written to a file that ends in {ending}, got {str(output)!r}')
    if not output.parent.is_dir():
        raise UsageError(f'no folder {str(output.parent)!r}')
    with _staged(output.parent) as (folder, kept):
        difference, details = write(request, folder / output.name, samples)
    return Report(kept, difference, samples.origin, details)


@contextmanager
def _staged(folder: Path) -> Iterator[Tuple[Path, List[Path]]]:
    """A folder beside the output; its files move to ``folder`` when the block ends without an error, the card last."""
    kept: List[Path] = []
    with TemporaryDirectory(prefix='.export-', dir=str(folder)) as temporary:
        yield Path(temporary), kept
        for path in sorted(Path(temporary).iterdir(), key=lambda path: (path.suffix == '.json', path.name)):
            place(path, folder / path.name)
            kept.append(folder / path.name)


def _write_symbol(request: Request, prefix: Path, samples: Samples):
    files = symbol.write(request.graph(), request.description(), prefix, options=request.loaded.options)
    return _checked(request, files[0], samples), {}


def _write_onnx(request: Request, path: Path, samples: Samples):
    graph = _simplified(request)
    optimize_for_engine(graph, request.engine)
    _save(graph, request, path)
    return _checked(request, path, samples), {'opset': request.opset}


def _simplified(request: Request) -> OnnxGraph:
    """The network in ONNX operators, with everything folded that can be."""
    checked_opset(request.opset)
    graph = to_onnx_graph(request.graph())
    simplify(graph)
    graph.name_outputs(_output_names(request, len(graph.outputs)))
    return graph


def _output_names(request: Request, count: int) -> List[str]:
    """Those of the task; maps of features are numbered."""
    names = request.loaded.task.output_names
    if len(names) == count:
        return list(names)
    return [f'output{number}' for number in range(count)]


def _save(graph: OnnxGraph, request: Request, path: Path) -> None:
    described = request.description()
    model = to_model(graph, request.opset, described.as_texts(), described.network)
    needed('onnx').save(model, str(path))


def _write_int8(request: Request, path: Path, samples: Samples):
    if request.calibration is None:
        raise UsageError('onnx-int8 needs images to calibrate on: give --calibration FILE.rec')
    with TemporaryDirectory(prefix='cbam-float-') as folder:
        plain = Path(folder) / path.name
        _write_onnx(request, plain, samples)
        graph = _simplified(request)

        def runner(graph: OnnxGraph):
            model = to_model(graph, request.opset, {}, 'calibration').SerializeToString()
            return onnxruntime_session(model, physical_cores())

        exact = load_exported(plain)
        found = quantize(graph, request.calibration, exact.prepare, runner)
        _save(found.graph, request, path)
        whole = load_exported(path)
        difference = compare(request.loaded, whole, samples)
        details = {'opset': request.opset, 'attention': found.attention, 'error': found.error}
        details['calibration_images'] = len(request.calibration.images)
        details['speed'] = _speeds(exact, whole)
        if request.records is not None:
            scores = (evaluate(each, request.records, 32, usable_cpus()) for each in (exact, whole))
            details['accuracy'] = {name: scored.as_dict() for name, scored in zip(('float32', 'int8'), scores)}
    return difference, details


def _speeds(exact: ExportedNetwork, whole: ExportedNetwork) -> List[Dict[str, float]]:
    """Milliseconds of both files, for a single image and for eight."""
    speeds = []
    for batch in (1, 8):
        times = milliseconds((exact, whole), batch)
        speeds.append({'batch': batch, 'float32': times[0], 'int8': times[1], 'ratio': times[0] / times[1]})
    return speeds


def _write_tensors(request: Request, path: Path, samples: Samples):
    loaded = request.loaded
    parameters = loaded.net._collect_params_with_prefix()
    arrays = {name: value.data(value.list_ctx()[0]).asnumpy() for name, value in parameters.items()}
    said = request.description()
    card = {
        'network': said.network,
        'classes': said.classes,
        'preprocessing': said.preprocessing,
        'options': request.loaded.options,
        'class_names': said.class_names,
    }
    safetensors.write(arrays, path, {name: value for name, value in card.items() if value is not None})
    return None, {'arrays': len(arrays)}


def _checked(request: Request, path: Path, samples: Samples) -> Difference:
    difference = compare(request.loaded, load_exported(path), samples)
    require_close(difference, path.name)
    return difference


# format -> ending of the file (None for a prefix), function of the request, the path and the samples
FORMATS = {
    'symbol': (None, _write_symbol),
    'onnx': ('.onnx', _write_onnx),
    'onnx-int8': ('.onnx', _write_int8),
    'safetensors': ('.safetensors', _write_tensors),
}
