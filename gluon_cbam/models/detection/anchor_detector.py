"""Detectors with anchors on several maps and a head for each map."""

from __future__ import annotations

from typing import Any, Dict, List, Sequence, Tuple

import mxnet as mx
import numpy as np

from gluon_cbam.common.types import OpNamespace, Tensor

from .anchors import AnchorLevel, anchor_array, anchor_graph
from .box_coding import decode
from .detector import Detector
from .heads import LevelHead
from .suppression import BOUND, Suppression, class_scores


class AnchorDetector(Detector):
    """A detector whose heads say for each anchor which class it has and where its box is.

    Subclasses add their blocks, call :meth:`_add_heads` last, and implement :meth:`maps`.

    Args:
        classes: number of classes, without the background.
        suppression: how detections are chosen.

    Attributes:
        suppression: how detections are chosen.

    Outputs:
        While training: class logits (N, A, 1 + classes), the background first, and box offsets (N, A, 4), coded as
        :mod:`.box_coding` says; float32. Otherwise: detections, see :class:`.detector.Detector`.
    """

    def __init__(self, classes: int, suppression: Suppression, **kwargs: Any) -> None:
        super().__init__(classes, **kwargs)
        self.suppression = suppression
        self._anchors: Dict[Tuple[int, int], np.ndarray] = {}
        self._on_device: Dict[Tuple[int, int, mx.Context], mx.nd.NDArray] = {}

    def maps(self, F: OpNamespace, x: Tensor) -> List[Tensor]:
        """Compute the maps that the heads read.

        Args:
            F: ``mxnet.ndarray`` or ``mxnet.symbol``.
            x: (N, C, H, W).

        Returns:
            (N, channels, rows, columns) for each head.
        """
        raise NotImplementedError

    def _add_heads(self, heads: Sequence[LevelHead], levels: Sequence[AnchorLevel]) -> None:
        """Add a head for each map; call it last, in the name scope."""
        self._levels = tuple(levels)
        self.heads = mx.gluon.nn.HybridSequential(prefix='')
        self.heads.add(*heads)
        self._add_graphs()

    def raw(self, F: OpNamespace, x: Tensor, *inputs: Tensor) -> Tuple[Tensor, Tensor]:
        """Compute the logits and the offsets of all anchors; see :class:`AnchorDetector`."""
        return self._of_maps(F, self.maps(F, x))

    def _of_maps(self, F: OpNamespace, maps: Sequence[Tensor]) -> Tuple[Tensor, Tensor]:
        logits, offsets = zip(*(head(each) for head, each in zip(self.heads, maps)))
        sizes = (1 + self.classes, 4)
        rows = [F.concat(*parts, dim=1).reshape((0, -1, size)) for parts, size in zip((logits, offsets), sizes)]
        return tuple(F.cast(part, dtype='float32') for part in rows)

    def detections(self, F: OpNamespace, x: Tensor, *constants: Tensor) -> Tensor:
        """Compute detections; without anchors as a constant, they follow from the input."""
        return self.suppression(F, *self._raw_and_anchors(F, x, *constants), self.classes)

    def candidates(self, F: OpNamespace, x: Tensor, *constants: Tensor) -> Tuple[Tensor, Tensor]:
        """Compute the boxes and scores of all anchors; see :meth:`.detector.Detector.candidates`."""
        logits, offsets, anchors = self._raw_and_anchors(F, x, *constants)
        return decode(F, offsets, anchors.expand_dims(0)), class_scores(F, logits)

    def _raw_and_anchors(self, F: OpNamespace, x: Tensor, *constants: Tensor) -> Tuple[Tensor, Tensor, Tensor]:
        """Logits, offsets, and the anchors (A, 4), which follow from the input where they are no constant."""
        maps = self.maps(F, x)
        anchors = constants[0] if constants else anchor_graph(F, self._levels, maps, x)
        logits, offsets = self._of_maps(F, maps)
        return logits, offsets, anchors

    def constants(self, x: mx.nd.NDArray) -> Sequence[mx.nd.NDArray]:
        """The anchors."""
        return (self.anchors(x.shape[2], x.shape[3], x.context),)

    def anchors(self, height: int, width: int, ctx: mx.Context = None) -> mx.nd.NDArray:
        """The anchors of inputs of a size.

        Args:
            height: height of the inputs, in pixels.
            width: width of the inputs, in pixels.
            ctx: the context of the result; default the CPU. It is kept, so that it costs nothing the next time.

        Returns:
            (A, 4) float32: centers, widths and heights in pixels of the input.

        Raises:
            ValueError: there are too many for the classes.
        """
        key = height, width, ctx or mx.cpu()
        if key not in self._on_device:
            self._on_device[key] = mx.nd.array(self.anchor_array(height, width), ctx=key[2])
        return self._on_device[key]

    def anchor_array(self, height: int, width: int) -> np.ndarray:
        """The anchors as numpy, see :meth:`anchors`."""
        if (height, width) not in self._anchors:
            anchors = anchor_array(self._levels, self.map_sizes(height, width), height, width)
            if len(anchors) * self.classes >= BOUND:
                raise ValueError(
                    f'{len(anchors)} anchors of {height} x {width} pixels and {self.classes} classes are too many: '
                    f'their product must be below {BOUND}'
                )
            self._anchors[height, width] = anchors
        return self._anchors[height, width]

    def map_sizes(self, height: int, width: int) -> List[Tuple[int, int]]:
        """Height and width of the maps that the heads read, in cells, for inputs of a size in pixels."""
        group = mx.sym.Group(self.maps(mx.sym, mx.sym.Variable('data')))
        _, shapes, _ = group.infer_shape(data=(1, self._in_channels, height, width))
        return [shape[2:] for shape in shapes]
