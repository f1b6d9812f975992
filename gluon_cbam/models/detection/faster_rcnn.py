"""Faster R-CNN (Ren et al., NeurIPS 2015, arXiv 1506.01497): what its forms share.

A region proposal network says where objects may be; for the best of these boxes, the RoIs, a head says which class each
has and where its box is. The forms are :mod:`.faster_rcnn_fpn` and :mod:`.faster_rcnn_c4`, with GluonCV's anchors,
numbers of proposals, thresholds and layers (the paper on pyramids has 256 channels in the proposal network, where
GluonCV has 1024). What differs from GluonCV: where an image has fewer proposals than RoIs, the rows that are left give
no detections, and boxes without area are no proposals, while GluonCV scores both; every detection has a score above a
threshold, and the best of each image are kept.

Attention, if any, is in the backbone (CBAM paper, table 6), in the heads, or both: in the proposal network after its
first convolution, and on the features of the RoIs before the classifier.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Dict, List, Optional, Sequence, Tuple

import mxnet as mx
import numpy as np
from mxnet.gluon import HybridBlock

from gluon_cbam.attention.blocks import boolean, positive_int
from gluon_cbam.common.types import OpNamespace, Tensor
from gluon_cbam.models.detection_variants import FasterRCNNVariant

from .backbone import attended_row, build_parts, options_of
from .box_coding import decode
from .boxes import centered, cornered
from .detector import Detector
from .picking import of_each
from .proposals import Proposals
from .region_anchors import region_anchors, region_levels
from .region_heads import AttentionFactory, RegionHead, RoiPredictor
from .roi_pooling import MOST, with_images
from .roi_sampling import RoiSampling, SampledRois
from .suppression import BOUND, Suppression, class_scores


class FasterRCNN(Detector):
    """The base of both forms.

    Subclasses implement :meth:`_add_maps`, :meth:`maps` and :meth:`vectors`.

    Args:
        variant: maps, anchors and numbers of proposals.
        classes: number of classes, without the background.
        backbone: the name of a network of this package with stages; default the variant's.
        attention: None or a key of :data:`gluon_cbam.attention.ATTENTIONS`.
        attention_in: ``backbone``, ``heads`` or ``both``.
        use_global_stats: whether every BatchNorm of the backbone keeps the statistics that it has, as in GluonCV; False
            for backbones that are trained from scratch. Without effect on backbones that have no such option.
        nms_threshold: see :class:`.suppression.Suppression`; default the variant's.
        nms_top: see :class:`.suppression.Suppression`; default the variant's.
        keep: see :class:`.suppression.Suppression`.
        score_threshold: see :class:`.suppression.Suppression`.
        proposals: RoIs of an image outside training; default the variant's.
        training_proposals: proposals of an image that the RoIs of training are chosen from; default the variant's.
        samples: RoIs of an image in training, ``training_proposals`` at most; default the variant's.
        anchor_sizes: lengths of square anchors in pixels, as many for each map; default the variant's.
        region_channels: channels of the proposal network; default the variant's.
        **options: options of the backbone and of the attention.

    Attributes:
        suppression: how detections are chosen.
        training_proposals: see above.
        samples: see above.

    Inputs:
        (N, C, H, W). While training also the objects (N, M, 5) and an order (N, ``training_proposals`` + M), see
        :class:`.roi_sampling.RoiSampling`.

    Outputs:
        While training, float32: the logits (N, A) and offsets (N, A, 4) of the anchors; the logits (N, S, 1 + classes)
        of the RoIs, the background first, and the offsets (N, S, 4) of the box of their class; the labels (N, S) and
        offsets (N, S, 4) that these should be. Otherwise: detections, see :class:`.detector.Detector`.

    Raises:
        ValueError: an argument or an input does not fit.
    """

    def __init__(
        self,
        variant: FasterRCNNVariant,
        classes: int = 80,
        backbone: Optional[str] = None,
        attention: Optional[str] = None,
        attention_in: str = 'backbone',
        use_global_stats: bool = True,
        nms_threshold: Optional[float] = None,
        nms_top: Optional[int] = None,
        keep: int = 100,
        score_threshold: float = 0.01,
        proposals: Optional[int] = None,
        training_proposals: Optional[int] = None,
        samples: Optional[int] = None,
        anchor_sizes: Optional[Sequence[float]] = None,
        region_channels: Optional[int] = None,
        **options: Any,
    ) -> None:
        super().__init__(classes)
        self._variant = variant
        sizes = variant.anchor_sizes if anchor_sizes is None else anchor_sizes
        self._levels = region_levels(sizes, variant.strides, variant.ratios)
        row = self._set_numbers(
            nms_threshold=nms_threshold, nms_top=nms_top, proposals=proposals, training_proposals=training_proposals,
            samples=samples, region_channels=region_channels,
        )  # fmt: skip
        self.suppression = Suppression(row.nms_threshold, row.nms_top, keep, score_threshold)
        self._on_device: Dict[Tuple[int, int, mx.Context], mx.nd.NDArray] = {}
        name = backbone or variant.backbone
        keeps = boolean('use_global_stats', use_global_stats)
        if keeps and 'use_global_stats' in options_of(attended_row(name, attention, attention_in)):
            options['use_global_stats'] = True
        with self.name_scope():
            network, module = build_parts(name, attention, attention_in, options)
            self._in_channels = network._in_channels
            self._smallest = max(network._smallest, min(variant.strides[-1], network.stage_strides[-1]))
            self.adaptable = (*(f'backbone.{name}' for name in network.adaptable), 'predictor.')
            channels, width = self._add_maps(network, module)
            self.regions = RegionHead(channels, self._region_channels, self._levels[0].count, module)
            self.predictor = RoiPredictor(width, self.classes)
            self._add_graphs()

    def _set_numbers(self, **given: Any) -> FasterRCNNVariant:
        """Take the numbers of proposals, RoIs and detections from the options, else from the variant."""
        row = replace(self._variant, **{name: value for name, value in given.items() if value is not None})
        self.training_proposals = positive_int('training_proposals', row.training_proposals)
        self.samples = min(positive_int('samples', row.samples), self.training_proposals)
        self._region_channels = positive_int('region_channels', row.region_channels)
        self._after = positive_int('proposals', row.proposals)
        if self._after * self.classes >= BOUND:
            raise ValueError(f'proposals times classes must be below {BOUND}, got {self._after} and {self.classes}')
        smallest = row.smallest_proposal
        self._proposals = Proposals(max(row.test_candidates, self._after), self._after, smallest=smallest)
        self._training = Proposals(
            max(row.training_candidates, self.training_proposals), self.training_proposals, smallest=smallest
        )
        self._sampling = RoiSampling(self.samples)
        return row

    def _add_maps(self, network: HybridBlock, attention: AttentionFactory) -> Tuple[int, int]:
        """Add the blocks of the maps and of the RoIs.

        Returns:
            The channels of the maps that the proposal network reads, and the length of the vector of a RoI.
        """
        raise NotImplementedError

    def maps(self, F: OpNamespace, x: Tensor) -> List[Tensor]:
        """Compute the maps that the proposal network reads, one for each stride of the variant.

        Args:
            F: ``mxnet.ndarray`` or ``mxnet.symbol``.
            x: (N, C, H, W).
        """
        raise NotImplementedError

    def vectors(self, F: OpNamespace, maps: Sequence[Tensor], rois: Tensor) -> Tensor:
        """Compute a vector for each RoI.

        Args:
            F: ``mxnet.ndarray`` or ``mxnet.symbol``.
            maps: the result of :meth:`maps`.
            rois: (R, 5): image, xmin, ymin, xmax and ymax.

        Returns:
            (R, width).
        """
        raise NotImplementedError

    def raw(self, F: OpNamespace, x: Tensor, *inputs: Tensor) -> Tuple[Tensor, ...]:
        """Compute the outputs of training; see :class:`FasterRCNN`."""
        objects, order = inputs
        return self.sampled(F, x, self.maps(F, x), objects, order)[1]

    def sampled(
        self, F: OpNamespace, x: Tensor, maps: Sequence[Tensor], objects: Tensor, order: Tensor
    ) -> Tuple[SampledRois, Tuple[Tensor, ...]]:
        """Compute the RoIs that training takes, and the outputs of :meth:`raw`."""
        logits, offsets = self._of_anchors(F, maps)
        found, exist = self._training(F, logits, offsets, region_anchors(F, self._levels, maps), x)
        rois = self._sampling(F, found, exist, objects, order)
        of_classes, of_boxes = self._of_rois(F, maps, rois.boxes, self.samples)
        # (N, S, classes, 1), zeros for the background
        own = F.one_hot(rois.labels - 1, depth=self.classes).expand_dims(3)
        of_boxes = F.sum(F.broadcast_mul(of_boxes, own), axis=2)
        return rois, (logits, offsets, of_classes, of_boxes, rois.labels, rois.targets)

    def detections(self, F: OpNamespace, x: Tensor, *constants: Tensor) -> Tensor:
        """See :meth:`.detector.Detector.detections`."""
        return self.found(F, x, self.maps(F, x))

    def found(self, F: OpNamespace, x: Tensor, maps: Sequence[Tensor]) -> Tensor:
        """Compute the detections from the maps."""
        boxes, scores, offsets = self._scored(F, x, maps)
        best = self.suppression.best(F, scores.reshape((0, -1)))
        roi = F.floor(best.place / self.classes)
        chosen = of_each(F, offsets.reshape((0, -1, 4)), best.place), of_each(F, centered(F, boxes), roi)
        return self.suppression.suppress(F, best.place - roi * self.classes, best.score, decode(F, *chosen))

    def candidates(self, F: OpNamespace, x: Tensor, *constants: Tensor) -> Tuple[Tensor, Tensor]:
        """Compute the boxes (N, R, classes, 4) and scores (N, R, classes); see :class:`.detector.Detector`."""
        boxes, scores, offsets = self.scored_rois(F, x)
        return decode(F, offsets, centered(F, boxes).expand_dims(2)), scores

    def scored_rois(self, F: OpNamespace, x: Tensor) -> Tuple[Tensor, Tensor, Tensor]:
        """Compute the RoIs (N, R, 4), their scores (N, R, classes), and their offsets (N, R, classes, 4); float32."""
        return self._scored(F, x, self.maps(F, x))

    def _scored(self, F: OpNamespace, x: Tensor, maps: Sequence[Tensor]) -> Tuple[Tensor, Tensor, Tensor]:
        boxes, exist = self._proposals(F, *self._of_anchors(F, maps), region_anchors(F, self._levels, maps), x)
        logits, offsets = self._of_rois(F, maps, boxes, self._after)
        return boxes, F.broadcast_mul(class_scores(F, logits), exist.expand_dims(2)), offsets

    def _of_anchors(self, F: OpNamespace, maps: Sequence[Tensor]) -> Tuple[Tensor, Tensor]:
        """The logits (N, A) and the offsets (N, A, 4) of all anchors."""
        logits, offsets = zip(*(self.regions(each) for each in maps))
        parts = F.concat(*logits, dim=1), F.concat(*offsets, dim=1).reshape((0, -1, 4))
        return tuple(F.cast(part, dtype='float32') for part in parts)

    def _of_rois(self, F: OpNamespace, maps: Sequence[Tensor], boxes: Tensor, count: int) -> Tuple[Tensor, Tensor]:
        """The logits (N, R, 1 + classes) and the offsets (N, R, classes, 4) of R = ``count`` RoIs of each image."""
        logits, offsets = self.predictor(self.vectors(F, maps, with_images(F, boxes)))
        parts = logits.reshape((-1, count, 1 + self.classes)), offsets.reshape((-1, count, self.classes, 4))
        return tuple(F.cast(part, dtype='float32') for part in parts)

    def check_input(self, shape: Tuple[int, ...]) -> None:
        """Check the shape of an input; a batch has less than :data:`.roi_pooling.MOST` RoIs."""
        super().check_input(shape)
        most = self._most_rois()
        if shape[0] * most >= MOST:
            raise ValueError(f'a batch has less than {MOST} RoIs, got {shape[0]} images with {most} each')

    def _most_rois(self) -> int:
        """The most RoIs of an image that are pooled at once."""
        return max(self._after, self.samples)

    def anchors(self, height: int, width: int, ctx: mx.Context = None) -> mx.nd.NDArray:
        """The anchors of inputs of a size.

        Args:
            height: height of the inputs, in pixels.
            width: width of the inputs, in pixels.
            ctx: the context of the result; default the CPU. It is kept, so that it costs nothing the next time.

        Returns:
            (A, 4) float32: centers, widths and heights in pixels of the input.
        """
        key = height, width, ctx or mx.cpu()
        if key not in self._on_device:
            group = mx.sym.Group(self.maps(mx.sym, mx.sym.Variable('data')))
            _, shapes, _ = group.infer_shape(data=(1, self._in_channels, height, width))
            maps = [mx.nd.zeros((1, 1, *shape[2:]), ctx=key[2]) for shape in shapes]
            self._on_device[key] = region_anchors(mx.nd, self._levels, maps)
        return self._on_device[key]

    def anchors_of_cells(self, cells: int) -> List[np.ndarray]:
        """The corners of the anchors of square maps with a number of cells along each side: (A, 4) for each map."""
        cells_of = [mx.nd.zeros((1, 1, cells, cells))]
        maps = [region_anchors(mx.nd, [level], cells_of) for level in self._levels]
        return [cornered(mx.nd, anchors).asnumpy() for anchors in maps]
