"""The request of an export, and its report."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Tuple

from gluon_cbam.inference.network import LoadedNetwork
from gluon_cbam.models.features import Features
from gluon_cbam.tasks import DEFAULT
from gluon_cbam.tasks.protocols import Dataset

from .agreement import Agreement
from .int8.quantization import Calibration
from .metadata import FLOATS, PIXELS, ExportMetadata
from .onnx.graph import DEFAULT_OPSET
from .tracing import USUAL, GraphKind, TracedNetwork, trace

CANDIDATES = ('boxes', 'scores')
"""The outputs of a detector before its non-maximum suppression, see
:meth:`gluon_cbam.models.detection.detector.Detector.candidates`."""
Size = Tuple[int, int]
"""Height and width, in pixels."""


@dataclass(frozen=True)
class ExportRequest:
    """A network to export, and the options.

    Attributes:
        loaded: the network.
        pixels: whether preprocessing becomes part of the file; default False.
        opset: version of the ONNX operators; default 17.
        engine: the engine that ONNX in float32 is optimized for, a key of
            :data:`gluon_cbam.export.onnx.engine_passes.ENGINE_PASSES`; any engine runs the file.
        calibration: the calibration data for int8; None for other formats.
        records: validation data that int8 is evaluated on; None for no evaluation.
        graph: whether the size of images is free, and whether a detector's file has its non-maximum suppression.
    """

    loaded: LoadedNetwork
    pixels: bool = False
    opset: int = DEFAULT_OPSET
    engine: str = 'onnxruntime'
    calibration: Optional[Calibration] = None
    records: Optional[Dataset] = None
    graph: GraphKind = USUAL

    def traced(self) -> TracedNetwork:
        """Trace the network."""
        preprocessing = self.loaded.preprocessing
        pixels = preprocessing if self.pixels else None
        return trace(self.loaded.net, preprocessing.image_size, pixels, graph=self.graph)

    def metadata(self) -> ExportMetadata:
        """The metadata of the file."""
        loaded = self.loaded
        features = isinstance(loaded.net, Features)
        return ExportMetadata(
            loaded.name,
            0 if features else getattr(loaded.net, 'outputs', loaded.classes),
            None if features else loaded.class_names,
            loaded.preprocessing.as_dict(),
            PIXELS if self.pixels else FLOATS,
            loaded.params_sha256,
            None if loaded.task.name == DEFAULT else loaded.task.name,
            not features and hasattr(loaded.net, 'outputs') or None,
            None if self.graph.nms else False,
            self.graph.dynamic or None,
            self._smallest if self.graph.dynamic and self._smallest > 1 else None,
        )

    @property
    def sizes(self) -> Sequence[Size]:
        """Heights and widths besides ``image_size`` that the file is compared at, where the size is free."""
        if not self.graph.dynamic:
            return ()
        height, width = self.loaded.preprocessing.shape
        return (height + height // 4 + 1, width + width // 2), (max(self._smallest, 3 * height // 4), width)

    @property
    def _smallest(self) -> int:
        """The smallest height and width of the images that the network takes."""
        return getattr(self.loaded.net, '_smallest', 1)

    def output_names(self, count: int) -> List[str]:
        """The names of the outputs: those of the task; feature maps are numbered.

        Args:
            count: the number of the outputs.
        """
        names = self.loaded.task.output_names if self.graph.nms else CANDIDATES
        return list(names) if len(names) == count else [f'output{number}' for number in range(count)]


@dataclass(frozen=True)
class ExportReport:
    """The result of an export.

    Attributes:
        files: the files that were written.
        difference: how well the outputs agree with those of MXNet; None for safetensors, which holds the same
            parameters.
        images: human-readable number and source of the images that were compared.
        details: further values by name, as ``cbam export --json`` prints them.
        sizes: heights and widths that they had besides the network's, where that is free.
    """

    files: List[Path]
    difference: Optional[Agreement]
    images: str
    details: Dict[str, Any]
    sizes: Sequence[Size] = ()
