"""A detector in the style of StairNet: SSD with steps that bring semantics from deep maps to shallow ones.

StairNet (Woo et al., WACV 2018, arXiv 1709.05788) is the detector of table 7 of the CBAM paper. Only its abstract is
public to the author of this file: the steps here are a reading of it, and no reproduction. Each map gets the same
number of channels by a convolution; from the deepest one on, a step doubles the size of the map by repeating pixels,
convolves it and adds it to the next shallower one. Every convolution is 3 x 3 with BatchNorm; a ReLU follows the sum.
The heads are those of SSD, all of the same form, with attention right before every classifier as in table 7.

``stairnet_300_lite`` has separable convolutions, 128 channels and heads of 1 x 1, and a MobileNet as its backbone.
``stairnet_300_vgg16`` has a VGG16 as its backbone, six anchors in the cells of the first map, and steps that are
deconvolutions of 2 x 2; its last map has the right number of channels and is not convolved. So chosen, their parameters
are those of table 7, with SE and CBAM, too. That does not prove that they have the same structure.

The variants are rows of :data:`gluon_cbam.models.detection_variants.single_shot.STAIRNETS`.
"""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Optional, Tuple

from mxnet import init
from mxnet.gluon import HybridBlock, nn

from gluon_cbam.attention.blocks import positive_int
from gluon_cbam.common.types import OpNamespace, Tensor
from gluon_cbam.models.detection_variants import StairNetVariant
from gluon_cbam.models.options import option_names
from gluon_cbam.ops.convolution import Conv2D
from gluon_cbam.ops.tracing import FusedBlock

from .backbone import chosen_backbone, known_options
from .ssd import SSD

_INITIALIZED: Dict[str, Any] = {'weight_initializer': init.Xavier(rnd_type='gaussian', factor_type='out', magnitude=2)}


class StepConvolution(FusedBlock):
    """conv 3 x 3 - BN: (N, in_channels, H, W) to (N, channels, H, W).

    Args:
        in_channels: channels of the input.
        channels: channels of the output.
        separable: whether the convolution is one of 1 x 1 and then one of each channel.
    """

    def __init__(self, in_channels: int, channels: int, separable: bool, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        with self.name_scope():
            kernel = 1 if separable else 3
            self.conv = Conv2D(
                channels, kernel, padding=kernel // 2, in_channels=in_channels, use_bias=False, **_INITIALIZED
            )
            self.depthwise = self._depthwise(channels) if separable else None
            self.bn = nn.BatchNorm(in_channels=channels)

    @staticmethod
    def _depthwise(channels: int) -> nn.Conv2D:
        return nn.Conv2D(channels, 3, padding=1, groups=channels, in_channels=channels, use_bias=False, **_INITIALIZED)

    def hybrid_forward(self, F: OpNamespace, x: Tensor) -> Tensor:
        """See :class:`StepConvolution`."""
        x = self.conv(x)
        return self.bn(x if self.depthwise is None else self.depthwise(x))


class StepDeconvolution(FusedBlock):
    """deconv 2 x 2 - BN: (N, channels, H, W) to (N, channels, 2 H, 2 W)."""

    def __init__(self, channels: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        with self.name_scope():
            self.deconv = nn.Conv2DTranspose(channels, 2, 2, in_channels=channels, use_bias=False, **_INITIALIZED)
            self.bn = nn.BatchNorm(in_channels=channels)

    def hybrid_forward(self, F: OpNamespace, x: Tensor) -> Tensor:
        """See :class:`StepDeconvolution`."""
        return self.bn(self.deconv(x))


class StairNet(SSD):
    """A StairNet-style detector, as the docstring of the module describes it.

    Args:
        variant: maps, anchors and steps.
        classes: number of classes, without the background.
        backbone: see :class:`.ssd.SSD`.
        attention: None or a key of :data:`gluon_cbam.attention.ATTENTIONS`.
        attention_in: ``heads`` (before every classifier), ``backbone`` or ``both``.
        step_channels: channels of every map that a head reads; default the variant's.
        **options: see :class:`.ssd.SSD`.

    Raises:
        ValueError: an argument or an input does not fit.
    """

    _variant: StairNetVariant

    def __init__(
        self,
        variant: StairNetVariant,
        classes: int = 20,
        backbone: Optional[str] = None,
        attention: Optional[str] = None,
        attention_in: str = 'heads',
        step_channels: Optional[int] = None,
        **options: Any,
    ) -> None:
        chosen = variant.step_channels if step_channels is None else step_channels
        self._step_channels = positive_int('step_channels', chosen)
        super().__init__(variant, classes, backbone, attention, attention_in, **options)

    def _add_maps(self, network: HybridBlock) -> List[int]:
        """Also add the steps; returns the channels of the maps."""
        channels, width = super()._add_maps(network), self._step_channels
        self.locals = nn.HybridSequential(prefix='')
        self.steps = nn.HybridSequential(prefix='')
        separable, deconvolved = self._variant.separable, self._variant.deconvolved
        for each in channels[:-1] if deconvolved and channels[-1] == width else channels:
            self.locals.add(StepConvolution(each, width, separable))
        for _ in channels[1:]:
            self.steps.add(StepDeconvolution(width) if deconvolved else StepConvolution(width, width, separable))
        return [width] * len(channels)

    def maps(self, F: OpNamespace, x: Tensor) -> List[Tensor]:
        """See :meth:`.anchor_detector.AnchorDetector.maps`."""
        own = super().maps(F, x)
        for number, local in enumerate(self.locals):
            own[number] = local(own[number])
        refined = [F.Activation(own[-1], act_type='relu')]
        for number in reversed(range(len(own) - 1)):
            stepped = self._step(F, refined[0], own[number], number)
            refined.insert(0, F.Activation(stepped, act_type='relu'))
        return refined

    def _step(self, F: OpNamespace, deeper: Tensor, own: Tensor, number: int) -> Tensor:
        """A map plus the deeper one, which is enlarged to its size."""
        if self._variant.pooled and number == len(self.steps) - 1:  # one cell, for a map of any size
            stepped = self.steps[number](deeper)
            if self._variant.deconvolved:
                stepped = F.Pooling(stepped, global_pool=True, pool_type='avg')
            return F.broadcast_add(own, stepped)
        if self._variant.deconvolved:
            return own + F.slice_like(self.steps[number](deeper), own, axes=(2, 3))
        twice = F.UpSampling(deeper, scale=2, sample_type='nearest')
        return own + self.steps[number](F.slice_like(twice, own, axes=(2, 3)))


def build(variant: StairNetVariant, **options: Any) -> StairNet:
    """Build the network of a row of :data:`gluon_cbam.models.detection_variants.single_shot.STAIRNETS`.

    Args:
        variant: the row.
        **options: see :func:`options`.

    Returns:
        The network, not initialized.

    Raises:
        ValueError: the value of an option does not fit.
    """
    return StairNet(variant, **options)


def backbone_of(variant: StairNetVariant, options: Mapping[str, Any]) -> Tuple[str, Dict[str, Any]]:
    """The name of the backbone that a network with these options has, and the options of the backbone."""
    return chosen_backbone(StairNet, variant.backbone, options)


def options(variant: StairNetVariant) -> List[str]:
    """List the options that :func:`build` takes for a row: also those of any backbone and of any attention."""
    return list(dict.fromkeys([*option_names(StairNet), *option_names(SSD), *known_options()]))
