"""CenterNet: Objects as Points (Zhou et al., arXiv 1904.07850), on any backbone, with attention.

The map of the last stage of a backbone is doubled in size, by a convolution and a transposed one, until its stride is
4 (section 5 of the paper, with plain convolutions where it has deformable ones, as in GluonCV's networks without
``dcnv2``). Three heads read it: a heat map for each class, whose peaks are the centers of the objects, the sizes of the
boxes, and the offsets of the centers from the corners of their cells. Attention, if any, is in the backbone, before the
classifier of the heat map, or both.

The variants are rows of :data:`gluon_cbam.models.detection_variants.dense.CENTERNETS`.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple

import mxnet as mx
import numpy as np
from mxnet import init
from mxnet.gluon import HybridBlock, nn

from gluon_cbam.attention.base import apply_attention
from gluon_cbam.attention.blocks import positive_int
from gluon_cbam.common.types import OpNamespace, Tensor
from gluon_cbam.models.detection_variants import CenterNetVariant
from gluon_cbam.models.features import Features
from gluon_cbam.models.options import option_names
from gluon_cbam.ops.convolution import Conv2D
from gluon_cbam.ops.tracing import FusedBlock

from .backbone import build_parts, chosen_backbone, known_options
from .detector import Detector
from .peaks import Peaks

STRIDE = 4
"""Of the maps that the heads give."""
_RARE = -2.19  # the first logit of the heat map: a center in one cell of ten, as in the focal loss
_SPREAD = 0.01  # standard deviation of the first weights of the last convolutions, so that the bias rules


class Upsampling(FusedBlock):
    """conv 3 x 3 - BN - ReLU - transposed conv 4 x 4 / 2 - BN - ReLU.

    Args:
        in_channels: C.
        channels: channels of the output.

    Inputs:
        (N, C, H, W).

    Outputs:
        (N, channels, 2 H, 2 W).
    """

    def __init__(self, in_channels: int, channels: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        weights = init.Xavier(rnd_type='gaussian', factor_type='out', magnitude=2)
        with self.name_scope():
            self.conv = Conv2D(
                channels, 3, padding=1, use_bias=False, in_channels=in_channels, weight_initializer=weights
            )
            self.bn1 = nn.BatchNorm(in_channels=channels)
            self.deconv = nn.Conv2DTranspose(
                channels, 4, 2, 1, use_bias=False, in_channels=channels, weight_initializer=Interpolation()
            )
            self.bn2 = nn.BatchNorm(in_channels=channels)

    def hybrid_forward(self, F: OpNamespace, x: Tensor) -> Tensor:
        """See :class:`Upsampling`."""
        x = F.Activation(self.bn1(self.conv(x)), act_type='relu')
        return F.Activation(self.bn2(self.deconv(x)), act_type='relu')


class Interpolation(init.Initializer):
    """Weights of a transposed convolution, (C, C, K, K), that interpolates each channel, and a little noise.

    GluonCV and the code of the paper write the interpolation to the first channel of the output alone.
    """

    def _init_weight(self, name: str, weight: mx.nd.NDArray) -> None:
        size = weight.shape[2]
        center = (size - 1) / 2
        slope = 1 - np.abs(np.arange(size) - center) / ((size + 1) // 2)
        noise = mx.nd.random.normal(0, 0.01, weight.shape).asnumpy()
        weight[:] = noise + np.eye(*weight.shape[:2])[:, :, None, None] * np.outer(slope, slope)


class PointHead(FusedBlock):
    """conv 3 x 3 - ReLU - attention - conv 1 x 1: (N, in_channels, H, W) to (N, outputs, H, W).

    Args:
        in_channels: channels of the map.
        channels: channels between the convolutions.
        outputs: channels of the output.
        bias: the first bias of the last convolution.
        attention: None, or a function from the number of channels to the attention module.
    """

    def __init__(
        self,
        in_channels: int,
        channels: int,
        outputs: int,
        bias: float = 0.0,
        attention: Optional[Callable[[int], HybridBlock]] = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        with self.name_scope():
            self.conv = nn.Conv2D(channels, 3, padding=1, in_channels=in_channels, weight_initializer=init.Xavier())
            self.attention = attention(channels) if attention else None
            self.predictor = nn.Conv2D(
                outputs,
                1,
                in_channels=channels,
                weight_initializer=init.Normal(_SPREAD),
                bias_initializer=init.Constant(bias),
            )

    def hybrid_forward(self, F: OpNamespace, x: Tensor) -> Tensor:
        """See :class:`PointHead`."""
        x = F.Activation(self.conv(x), act_type='relu')
        return self.predictor(x if self.attention is None else apply_attention(F, self.attention, x))


class CenterNet(Detector):
    """A CenterNet, as the docstring of the module describes it.

    Args:
        variant: the row.
        classes: number of classes.
        backbone: the name of a network of this package with stages; default the variant's. Its last stage has a stride
            of 4, 8, 16 or 32.
        attention: None or a key of :data:`gluon_cbam.attention.ATTENTIONS`.
        attention_in: ``backbone``, ``heads`` (before the classifier of the heat map) or ``both``.
        keep: see :class:`.peaks.Peaks`.
        score_threshold: see :class:`.peaks.Peaks`.
        up_channels: channels of the maps of stride 16, 8 and 4; default the variant's.
        head_channels: channels between the convolutions of a head; default the variant's.
        **options: options of the backbone and of the attention.

    Outputs:
        While training: logits of the heat map (N, classes, H, W), sizes of boxes (N, 2, H, W) and offsets of centers
        (N, 2, H, W), both in cells; float32. Otherwise: detections, see :class:`.detector.Detector`.

    Raises:
        ValueError: an argument or an input does not fit.
    """

    def __init__(
        self,
        variant: CenterNetVariant,
        classes: int = 20,
        backbone: Optional[str] = None,
        attention: Optional[str] = None,
        attention_in: str = 'backbone',
        keep: int = 100,
        score_threshold: float = 0.01,
        up_channels: Optional[Sequence[int]] = None,
        head_channels: Optional[int] = None,
        **options: Any,
    ) -> None:
        super().__init__(classes)
        self.peaks = Peaks(keep, score_threshold)
        self._map_sizes: Dict[Tuple[int, int], Tuple[int, int]] = {}
        widths = _checked_widths(variant.up_channels if up_channels is None else up_channels)
        width = positive_int('head_channels', variant.head_channels if head_channels is None else head_channels)
        with self.name_scope():
            network, module = build_parts(backbone or variant.backbone, attention, attention_in, options)
            channels = self._add_maps(network, widths)
            self.heatmap = PointHead(channels, width, classes, _RARE, module)
            self.size = PointHead(channels, width, 2)
            self.offset = PointHead(channels, width, 2)
            self._add_graphs()

    def _add_maps(self, network: HybridBlock, widths: Sequence[int]) -> int:
        """Add the backbone and the layers that enlarge its last map; returns the channels of the map of stride 4."""
        stride = network.stage_strides[-1]
        if stride not in (STRIDE * 2**steps for steps in range(len(widths) + 1)):
            raise ValueError(f'the last stage must have a stride of 4, 8, 16 or 32, got {tuple(network.stage_strides)}')
        self.backbone = Features(network, [-1])
        self._in_channels, self._smallest = network._in_channels, max(network._smallest, stride)
        self.adaptable = (*(f'backbone.{name}' for name in network.adaptable), 'heatmap.')
        self.upsampling = nn.HybridSequential(prefix='')
        channels = self.backbone.channels[-1]
        for width in widths[len(widths) - (stride // STRIDE).bit_length() + 1 :]:
            self.upsampling.add(Upsampling(channels, width))
            channels = width
        return channels

    def raw(self, F: OpNamespace, x: Tensor, *inputs: Tensor) -> Tuple[Tensor, Tensor, Tensor]:
        """Compute the heat map, the sizes and the offsets; see :class:`CenterNet`."""
        (x,) = self.backbone(x)
        x = self.upsampling(x) if len(self.upsampling) else x
        heatmap, sizes, offsets = (F.cast(head(x), dtype='float32') for head in (self.heatmap, self.size, self.offset))
        return heatmap, sizes, offsets

    def detections(self, F: OpNamespace, x: Tensor, *constants: Tensor) -> Tensor:
        """See :meth:`.detector.Detector.detections`."""
        heatmap, sizes, offsets = self.raw(F, x)
        return self.peaks(F, heatmap, sizes, offsets, STRIDE)

    def map_size(self, height: int, width: int) -> Tuple[int, int]:
        """Height and width of the maps that the heads give, in cells, for inputs of a size in pixels."""
        if (height, width) not in self._map_sizes:
            heatmap, *_ = self.raw(mx.sym, mx.sym.Variable('data'))
            _, shapes, _ = heatmap.infer_shape(data=(1, self._in_channels, height, width))
            self._map_sizes[height, width] = shapes[0][2:]
        return self._map_sizes[height, width]


def _checked_widths(widths: Sequence[int]) -> Tuple[int, ...]:
    if isinstance(widths, str) or not isinstance(widths, Sequence) or len(widths) != 3:
        raise ValueError(f'up_channels must be 3 positive integers, got {widths!r}')
    return tuple(positive_int('up_channels', width) for width in widths)


def build(variant: CenterNetVariant, **options: Any) -> CenterNet:
    """Build the network of a row of :data:`gluon_cbam.models.detection_variants.dense.CENTERNETS`.

    Args:
        variant: the row.
        **options: see :func:`options`.

    Returns:
        The network, not initialized.

    Raises:
        ValueError: the value of an option does not fit.
    """
    return CenterNet(variant, **options)


def backbone_of(variant: CenterNetVariant, options: Mapping[str, Any]) -> Tuple[str, Dict[str, Any]]:
    """The name of the backbone that a network with these options has, and the options of the backbone."""
    return chosen_backbone(CenterNet, variant.backbone, options)


def options(variant: CenterNetVariant) -> List[str]:
    """List the options that :func:`build` takes for a row: also those of any backbone and of any attention."""
    return [*option_names(CenterNet), *known_options()]
