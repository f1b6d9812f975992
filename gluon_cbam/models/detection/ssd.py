"""SSD: Single Shot MultiBox Detector (Liu et al., ECCV 2016, arXiv 1512.02325), on any backbone, with attention.

The stages of a backbone give the first maps, extra layers the others; a head of two convolutions on each map says for
each anchor which class it has and where its box is. Differences to the paper:

* ``ssd_300_vgg16`` and ``ssd_512_vgg16`` are the paper's networks: a VGG16 without BatchNorm, whose first map is
  scaled. In the other variants backbones and extra layers have BatchNorm;
* the last map of ``ssd_300`` is averaged to one cell, where the paper has a convolution without padding, so that images
  of any size can be used;
* ``ssd_512`` has the maps, channels and anchors of GluonCV's ``ssd_512_resnet50_v1_voc``;
* attention, if any, is in the backbone (CBAM paper, table 6), before the classifiers (table 7), or both.

The variants are rows of :data:`gluon_cbam.models.detection_variants.single_shot.SSDS`.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np
from mxnet import init
from mxnet.gluon import HybridBlock, nn

from gluon_cbam.common.types import OpNamespace, Tensor
from gluon_cbam.models.detection_variants import SSDVariant
from gluon_cbam.models.features import Features
from gluon_cbam.models.options import option_names
from gluon_cbam.ops.tracing import FusedBlock

from .anchor_detector import AnchorDetector
from .anchors import AnchorLevel, level_anchors
from .backbone import build_parts, chosen_backbone, known_options
from .channel_norm import ChannelNorm
from .heads import LevelHead
from .suppression import Suppression


class ExtraLayer(FusedBlock):
    """conv 1 x 1 - BN - ReLU - conv 3 x 3 / 2 - BN - ReLU: (N, C, H, W) to (N, channels, H / 2, W / 2).

    BatchNorm has an epsilon of 1e-3, as GluonCV's.

    Args:
        in_channels: C.
        inner: channels between the convolutions.
        channels: channels of the output.
        normalized: whether there is BatchNorm; otherwise the convolutions have a bias.
        kernel: size of the kernel, stride and padding of the second convolution.
    """

    def __init__(
        self,
        in_channels: int,
        inner: int,
        channels: int,
        normalized: bool = True,
        kernel: Tuple[int, int, int] = (3, 2, 1),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        with self.name_scope():
            self.conv1 = _conv(inner, (1, 1, 0), in_channels, not normalized)
            self.bn1 = nn.BatchNorm(epsilon=1e-3, in_channels=inner) if normalized else None
            self.conv2 = _conv(channels, kernel, inner, not normalized)
            self.bn2 = nn.BatchNorm(epsilon=1e-3, in_channels=channels) if normalized else None

    def hybrid_forward(self, F: OpNamespace, x: Tensor) -> Tensor:
        """See :class:`ExtraLayer`."""
        for conv, bn in ((self.conv1, self.bn1), (self.conv2, self.bn2)):
            x = conv(x)
            x = F.Activation(x if bn is None else bn(x), act_type='relu')
        return x


def _conv(channels: int, kernel: Tuple[int, int, int], in_channels: int, bias: bool) -> nn.Conv2D:
    return nn.Conv2D(
        channels,
        *kernel,
        use_bias=bias,
        in_channels=in_channels,
        weight_initializer=init.Xavier(rnd_type='gaussian', factor_type='out', magnitude=2),
    )


class SSD(AnchorDetector):
    """An SSD, as the docstring of the module describes it.

    Args:
        variant: maps and anchors.
        classes: number of classes, without the background.
        backbone: the name of a network of this package with stages; default the variant's. A map whose stride no stage
            has is made by an extra layer.
        attention: None or a key of :data:`gluon_cbam.attention.ATTENTIONS`.
        attention_in: ``backbone``, ``heads`` (before every classifier) or ``both``.
        attend_boxes: whether the boxes are computed from the refined maps of the heads, too.
        nms_threshold: see :class:`.suppression.Suppression`.
        nms_top: see :class:`.suppression.Suppression`.
        keep: see :class:`.suppression.Suppression`.
        score_threshold: see :class:`.suppression.Suppression`.
        anchor_sizes: sizes of the anchors in pixels at the variant's ``image_size``, one more than maps; default the
            variant's.
        **options: options of the backbone and of the attention.

    Raises:
        ValueError: an argument or an input does not fit.
    """

    def __init__(
        self,
        variant: SSDVariant,
        classes: int = 20,
        backbone: Optional[str] = None,
        attention: Optional[str] = None,
        attention_in: str = 'backbone',
        attend_boxes: bool = False,
        nms_threshold: float = 0.45,
        nms_top: int = 400,
        keep: int = 100,
        score_threshold: float = 0.01,
        anchor_sizes: Optional[Sequence[float]] = None,
        **options: Any,
    ) -> None:
        super().__init__(classes, Suppression(nms_threshold, nms_top, keep, score_threshold))
        self._variant = variant
        with self.name_scope():
            network, module = build_parts(backbone or variant.backbone, attention, attention_in, options)
            channels = self._add_maps(network)
            levels = levels_of(_with_sizes(variant, anchor_sizes))
            self._add_heads(
                [
                    LevelHead(width, level.count, 1 + classes, module, attend_boxes, variant.head_kernel)
                    for width, level in zip(channels, levels)
                ],
                levels,
            )

    def _add_maps(self, network: HybridBlock) -> List[int]:
        """Add the backbone and the extra layers; returns the channels of the maps."""
        wanted = [self._variant.stride * 2**number for number in range(len(self._variant.channels))]
        stages, first = _chosen_stages(network.stage_strides, wanted[: self._variant.backbone_maps])
        self.backbone = Features(network, stages)
        self._in_channels = network._in_channels
        self._smallest = max(network._smallest, self._variant.smallest, self.backbone.strides[-1])
        self.adaptable = (*(f'backbone.{name}' for name in network.adaptable), 'heads.')
        self._on_maps = first  # stages and layers before it only lead to the first map
        self.extras = nn.HybridSequential(prefix='')
        channels, stride = list(self.backbone.channels), self.backbone.strides[-1]
        while stride < wanted[-1]:
            stride *= 2
            width = self._variant.channels[max(len(channels) - first, 0)]
            width = min(width, 2 * channels[-1])
            inner, kernel = int(width * self._variant.transition), self._kernel_of(len(channels) - first)
            self.extras.add(ExtraLayer(channels[-1], inner, width, self._variant.normalized, kernel))
            channels.append(width)
        scale = self._variant.first_scale
        self.first_norm = None if scale is None else ChannelNorm(channels[first], scale)
        return channels[first:]

    def _kernel_of(self, number: int) -> Tuple[int, int, int]:
        """Kernel, stride and padding of the layer that makes a map."""
        before_end = len(self._variant.channels) - number
        if before_end > len(self._variant.ends):
            return 3, 2, 1
        kernel, padding = self._variant.ends[-before_end]
        return kernel, 1, padding

    def anchors_of_maps(self) -> List[np.ndarray]:
        """The anchors of each map at the size of the variant, see :func:`.anchors.level_anchors`."""
        size = self._variant.image_size
        maps = self.map_sizes(size, size)
        return [level_anchors(level, cells, size, size) for level, cells in zip(self._levels, maps)]

    def maps(self, F: OpNamespace, x: Tensor) -> List[Tensor]:
        """See :meth:`.anchor_detector.AnchorDetector.maps`."""
        maps = list(self.backbone(x))
        for layer in self.extras:
            maps.append(layer(maps[-1]))
        if self._variant.pooled:
            maps[-1] = F.Pooling(maps[-1], global_pool=True, pool_type='avg')
        if self.first_norm is not None:
            maps[self._on_maps] = self.first_norm(maps[self._on_maps])
        return maps[self._on_maps :]


def _chosen_stages(strides: Sequence[int], wanted: Sequence[int]) -> Tuple[List[int], int]:
    """The stages that give maps, and how many maps there are before the first one that has the first stride wanted."""
    last = {stride: number for number, stride in enumerate(strides)}
    if wanted[0] in last:
        return [last[stride] for stride in wanted if stride in last], 0
    finer = max((stride for stride in strides if stride < wanted[0]), default=None)
    if finer is None:
        raise ValueError(f'a stage with a stride of at most {wanted[0]} is needed, got strides {tuple(strides)}')
    return [last[finer]], (wanted[0] // finer).bit_length() - 1


def _with_sizes(variant: SSDVariant, sizes: Optional[Sequence[float]]) -> SSDVariant:
    """A variant with other sizes of anchors."""
    if sizes is None:
        return variant
    count = len(variant.sizes)
    listed = isinstance(sizes, (list, tuple)) and len(sizes) == count
    numbers = listed and all(isinstance(size, (int, float)) and 0 < size < math.inf for size in sizes)
    if not numbers or list(sizes) != sorted(sizes):
        raise ValueError(f'anchor_sizes must be {count} positive numbers that grow, got {sizes!r}')
    return replace(variant, sizes=tuple(sizes))


def levels_of(variant: SSDVariant) -> List[AnchorLevel]:
    """The anchors of the maps of a row."""
    sizes = [size / variant.image_size for size in variant.sizes]
    return [AnchorLevel(*level) for level in zip(sizes, sizes[1:], variant.ratios, variant.steps)]


def build(variant: SSDVariant, **options: Any) -> SSD:
    """Build the network of a row of :data:`gluon_cbam.models.detection_variants.single_shot.SSDS`.

    Args:
        variant: the row.
        **options: see :func:`options`.

    Returns:
        The network, not initialized.

    Raises:
        ValueError: the value of an option does not fit.
    """
    return SSD(variant, **options)


def backbone_of(variant: SSDVariant, options: Mapping[str, Any]) -> Tuple[str, Dict[str, Any]]:
    """The name of the backbone that a network with these options has, and the options of the backbone."""
    return chosen_backbone(SSD, variant.backbone, options)


def options(variant: SSDVariant) -> List[str]:
    """List the options that :func:`build` takes for a row: also those of any backbone and of any attention."""
    return [*option_names(SSD), *known_options()]
