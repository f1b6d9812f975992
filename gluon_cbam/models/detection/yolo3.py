"""YOLOv3 (Redmon and Farhadi, arXiv 1804.02767), on any backbone with maps of strides 8, 16 and 32, with attention.

The neck and the heads are those of GluonCV: from the deepest map on, a block of six convolutions; the output of the
fifth one is enlarged and joined with the next shallower map, and that of the last one is read by the head. A head says
for each of three anchors of a cell where its box is, whether there is an object, and which class it has, by one
convolution. Differences:

* the backbones are those of this package, where the paper has Darknet-53;
* at first, anchors have objects with a probability of 0.01, not 0.5, so that training does not start with the many
  anchors without;
* attention, if any, is in the backbone, before the convolutions of the heads, or both; boxes and classes read the
  refined map alike.

The variants are rows of :data:`gluon_cbam.models.detection_variants.dense.YOLO3S`.
"""

from __future__ import annotations

import math
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

import mxnet as mx
from mxnet.gluon import HybridBlock, nn

from gluon_cbam.attention.blocks import positive_int
from gluon_cbam.common.types import OpNamespace, Tensor
from gluon_cbam.models.detection_variants import YOLO3Variant
from gluon_cbam.models.features import Features
from gluon_cbam.models.options import option_names

from .backbone import build_parts, chosen_backbone, known_options
from .cell_coding import cell_graph, decode
from .detector import Detector
from .picking import of_each
from .suppression import BOUND, Suppression
from .yolo3_neck import ANCHORS, AnchorHead, DetectionBlock, Unit

STRIDES = (32, 16, 8)
"""Of the maps that the heads read, in their order."""


class YOLO3(Detector):
    """A YOLOv3, as the docstring of the module describes it.

    Args:
        variant: the row.
        classes: number of classes.
        backbone: the name of a network of this package with stages of strides 8, 16 and 32; default the variant's.
        attention: None or a key of :data:`gluon_cbam.attention.ATTENTIONS`.
        attention_in: ``backbone``, ``heads`` (before the convolution of every head) or ``both``.
        nms_threshold: see :class:`.suppression.Suppression`.
        nms_top: see :class:`.suppression.Suppression`.
        keep: see :class:`.suppression.Suppression`.
        score_threshold: see :class:`.suppression.Suppression`.
        anchor_sizes: width and height of each of the nine anchors in pixels, one after the other, the three smallest
            first, which are those of stride 8; default the variant's. ``cbam data stats --anchors 9`` suggests some.
        head_channels: channels of the blocks of stride 32, 16 and 8; default the variant's.
        **options: options of the backbone and of the attention.

    Attributes:
        suppression: how detections are chosen.
        anchor_sizes: the anchors of the maps of :data:`STRIDES`.

    Outputs:
        While training: logits (N, A, 1 + classes), that of an object first, and boxes (N, A, 4), coded as
        :mod:`.cell_coding` says; float32. Otherwise: detections, see :class:`.detector.Detector`; their score is the
        probability of an object times that of the class.

    Raises:
        ValueError: an argument or an input does not fit.
    """

    def __init__(
        self,
        variant: YOLO3Variant,
        classes: int = 20,
        backbone: Optional[str] = None,
        attention: Optional[str] = None,
        attention_in: str = 'backbone',
        nms_threshold: float = 0.45,
        nms_top: int = 400,
        keep: int = 100,
        score_threshold: float = 0.01,
        anchor_sizes: Optional[Sequence[float]] = None,
        head_channels: Optional[Sequence[int]] = None,
        **options: Any,
    ) -> None:
        super().__init__(classes)
        self.suppression = Suppression(nms_threshold, nms_top, keep, score_threshold)
        sizes = _checked_sizes(variant.anchor_sizes if anchor_sizes is None else anchor_sizes)
        self.anchor_sizes = [sizes[first : first + ANCHORS] for first in (6, 3, 0)]
        widths = _checked_widths(variant.head_channels if head_channels is None else head_channels)
        self._map_sizes: Dict[Tuple[int, int], List[Tuple[int, int]]] = {}
        self._cells: Dict[Tuple[int, int, mx.Context], mx.nd.NDArray] = {}
        with self.name_scope():
            network, module = build_parts(backbone or variant.backbone, attention, attention_in, options)
            self._add_maps(network, widths)
            self.heads = nn.HybridSequential(prefix='')
            self.heads.add(*(AnchorHead(2 * width, 5 + classes, module) for width in widths))
            self._add_graphs()

    def _add_maps(self, network: HybridBlock, widths: Sequence[int]) -> None:
        """Add the backbone and the neck."""
        stages = {stride: number for number, stride in enumerate(network.stage_strides)}
        if not set(STRIDES) <= set(stages):
            raise ValueError(f'stages of strides 8, 16 and 32 are needed, got {tuple(network.stage_strides)}')
        self.backbone = Features(network, [stages[stride] for stride in STRIDES])
        self._in_channels, self._smallest = network._in_channels, max(network._smallest, *STRIDES)
        self.adaptable = (*(f'backbone.{name}' for name in network.adaptable), 'heads.')
        self.blocks = nn.HybridSequential(prefix='')
        self.transitions = nn.HybridSequential(prefix='')
        joined = 0
        for number, (channels, width) in enumerate(zip(self.backbone.channels, widths)):
            self.blocks.add(DetectionBlock(channels + joined, width))
            joined = widths[number + 1] if number + 1 < len(widths) else 0
            if joined:
                self.transitions.add(Unit(width, joined, 1))

    def maps(self, F: OpNamespace, x: Tensor) -> List[Tensor]:
        """Compute what the heads say, from the deepest map on.

        Args:
            F: ``mxnet.ndarray`` or ``mxnet.symbol``.
            x: (N, C, H, W).

        Returns:
            (N, 3 (5 + classes), H / stride, W / stride) float32 for each of :data:`STRIDES`.
        """
        found: List[Tensor] = []
        route: Optional[Tensor] = None
        for number, (own, block, head) in enumerate(zip(self.backbone(x), self.blocks, self.heads)):
            if route is None:
                joined = own
            else:
                twice = F.UpSampling(self.transitions[number - 1](route), scale=2, sample_type='nearest')
                joined = F.concat(F.slice_like(twice, own, axes=(2, 3)), own, dim=1)
            route, tip = block(joined)
            found.append(F.cast(head(tip), dtype='float32'))
        return found

    def raw(self, F: OpNamespace, x: Tensor, *inputs: Tensor) -> Tuple[Tensor, Tensor]:
        """Compute the logits and the coded boxes of all anchors; see :class:`YOLO3`."""
        return self._of_maps(F, self.maps(F, x))

    def _of_maps(self, F: OpNamespace, maps: Sequence[Tensor]) -> Tuple[Tensor, Tensor]:
        outputs = 5 + self.classes
        rows = [F.transpose(each, axes=(0, 2, 3, 1)).reshape((0, -1, outputs)) for each in maps]
        rows = F.concat(*rows, dim=1)
        return F.slice_axis(rows, axis=2, begin=4, end=outputs), F.slice_axis(rows, axis=2, begin=0, end=4)

    def detections(self, F: OpNamespace, x: Tensor, *constants: Tensor) -> Tensor:
        """See :meth:`.detector.Detector.detections`."""
        scores, coded, cells = self._scored(F, x, *constants)
        best = self.suppression.best(F, scores.reshape((0, -1)))  # of (N, A classes)
        anchor = F.floor(best.place / self.classes)
        boxes = decode(F, of_each(F, coded, anchor), F.take(cells, anchor, axis=0))  # (N, top, 4)
        return self.suppression.suppress(F, best.place - anchor * self.classes, best.score, boxes)

    def candidates(self, F: OpNamespace, x: Tensor, *constants: Tensor) -> Tuple[Tensor, Tensor]:
        """Compute the boxes and scores of all anchors; see :meth:`.detector.Detector.candidates`."""
        scores, coded, cells = self._scored(F, x, *constants)
        return decode(F, coded, cells.expand_dims(0)), scores

    def _scored(self, F: OpNamespace, x: Tensor, *constants: Tensor) -> Tuple[Tensor, Tensor, Tensor]:
        """Scores (N, A, classes), coded boxes, and cells (A, 5), which follow from the input if not constant."""
        maps = self.maps(F, x)
        cells = constants[0] if constants else cell_graph(F, maps, STRIDES, self.anchor_sizes)
        logits, coded = self._of_maps(F, maps)
        chances = F.sigmoid(logits)
        objects, classes = (F.slice_axis(chances, axis=2, begin=begin, end=end) for begin, end in ((0, 1), (1, None)))
        return F.broadcast_mul(classes, objects), coded, cells

    def constants(self, x: mx.nd.NDArray) -> Sequence[mx.nd.NDArray]:
        """The cells."""
        return (self.cells(x.shape[2], x.shape[3], x.context),)

    def cells(self, height: int, width: int, ctx: Optional[mx.Context] = None) -> mx.nd.NDArray:
        """The cells and anchors of inputs of a size.

        Args:
            height: height of the inputs, in pixels.
            width: width of the inputs, in pixels.
            ctx: the context of the result; default the CPU. It is kept, so that it costs nothing the next time.

        Returns:
            (A, 5) float32, see :func:`.cell_coding.cell_graph`.

        Raises:
            ValueError: there are too many for the classes.
        """
        key = height, width, ctx or mx.cpu()
        if key not in self._cells:
            sizes = self.map_sizes(height, width)
            count = ANCHORS * sum(rows * columns for rows, columns in sizes)
            if count * self.classes >= BOUND:
                raise ValueError(
                    f'{count} anchors of {height} x {width} pixels and {self.classes} classes are too many: '
                    f'their product must be below {BOUND}'
                )
            maps = [mx.nd.zeros((1, 1, *size), ctx=key[2]) for size in sizes]
            self._cells[key] = cell_graph(mx.nd, maps, STRIDES, self.anchor_sizes)
        return self._cells[key]

    def map_sizes(self, height: int, width: int) -> List[Tuple[int, int]]:
        """Height and width of the maps of :data:`STRIDES`, in cells, for inputs of a size in pixels."""
        if (height, width) not in self._map_sizes:
            group = mx.sym.Group(self.maps(mx.sym, mx.sym.Variable('data')))
            _, shapes, _ = group.infer_shape(data=(1, self._in_channels, height, width))
            self._map_sizes[height, width] = [shape[2:] for shape in shapes]
        return self._map_sizes[height, width]


def _checked_sizes(sizes: Sequence[float]) -> List[Tuple[float, float]]:
    """Pairs of width and height."""
    count = 2 * ANCHORS * len(STRIDES)
    listed = isinstance(sizes, (list, tuple)) and len(sizes) == count
    if not listed or not all(isinstance(size, (int, float)) and 0 < size < math.inf for size in sizes):
        raise ValueError(f'anchor_sizes must be {count} positive numbers, width and height of 9 anchors, got {sizes!r}')
    return list(zip(sizes[::2], sizes[1::2]))


def _checked_widths(widths: Sequence[int]) -> List[int]:
    if not isinstance(widths, (list, tuple)) or len(widths) != len(STRIDES):
        raise ValueError(f'head_channels must be 3 positive integers, got {widths!r}')
    return [positive_int('head_channels', width) for width in widths]


def build(variant: YOLO3Variant, **options: Any) -> YOLO3:
    """Build the network of a row of :data:`gluon_cbam.models.detection_variants.dense.YOLO3S`.

    Args:
        variant: the row.
        **options: see :func:`options`.

    Returns:
        The network, not initialized.

    Raises:
        ValueError: the value of an option does not fit.
    """
    return YOLO3(variant, **options)


def backbone_of(variant: YOLO3Variant, options: Mapping[str, Any]) -> Tuple[str, Dict[str, Any]]:
    """The name of the backbone that a network with these options has, and the options of the backbone."""
    return chosen_backbone(YOLO3, variant.backbone, options)


def options(variant: YOLO3Variant) -> List[str]:
    """List the options that :func:`build` takes for a row: also those of any backbone and of any attention."""
    return [*option_names(YOLO3), *known_options()]
