"""MobileNet with optional attention (Howard et al., arXiv 1704.04861, table 1; Woo et al., ECCV 2018, table 5).

Unit: convolution without bias - BatchNorm - attention - ReLU. The network is 27 units: conv 3 x 3 / 2, then 13 times a
depthwise 3 x 3 and a pointwise 1 x 1; then global average pooling and a dense layer. The CBAM paper states only the
counts of its MobileNets: they are those of one module after every convolution, with ``max(1, C // reduction)`` hidden
units. The counts do not show whether the module precedes the ReLU; here it scales the output of the BatchNorm, as in
the ResNets.

The variants are rows of :data:`.variants.MOBILENETS`.
"""

from __future__ import annotations

from typing import Any, Callable, Iterator, List, Optional

from mxnet import init
from mxnet.gluon import HybridBlock, ParameterDict, nn

from gluon_cbam.attention import ATTENTIONS
from gluon_cbam.attention.blocks import positive_int
from gluon_cbam.common.types import OpNamespace, Tensor
from gluon_cbam.ops.tracing import FusedBlock

from .embedding_head import ClassesOrEmbedding
from .normalization import keep_statistics
from .options import attention_classes, check_attention, option_names
from .variants import MobileNetVariant

STEM = 32
SEPARABLE = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2), (1024, 1))
"""Channels of the pointwise convolution and stride of the depthwise one before it, at alpha 1."""


class _Unit(FusedBlock):
    """conv - BN - attention - ReLU: (N, in_channels, H, W) to (N, channels, H / stride, W / stride)."""

    def __init__(
        self,
        in_channels: int,
        channels: int,
        kernel: int,
        stride: int,
        groups: int,
        attention: Optional[Callable[[int], HybridBlock]],
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        with self.name_scope():
            self.conv = nn.Conv2D(
                channels,
                kernel,
                stride,
                kernel // 2,
                groups=groups,
                use_bias=False,
                in_channels=in_channels,
                weight_initializer=init.MSRAPrelu(factor_type='in', slope=0),
            )
            self.bn = nn.BatchNorm(in_channels=channels)
            self.attention = attention(channels) if attention else None

    def hybrid_forward(self, F: OpNamespace, x: Tensor) -> Tensor:
        x = self.bn(self.conv(x))
        if self.attention is not None:
            x = self.attention(x)
        return F.Activation(x, act_type='relu')


class MobileNet(ClassesOrEmbedding):
    """A MobileNet, as the docstring of the module describes it.

    Args:
        alpha: multiplies the channels of every unit.
        classes: outputs of the last layer.
        attention: None or a key of :data:`gluon_cbam.attention.ATTENTIONS`.
        in_channels: channels of the input.
        embedding: size of embeddings, for a network that gives these instead of logits; None for logits.
        embedding_head: the head that gives embeddings, a key of :data:`.embedding_head.EMBEDDING_HEADS`.
        image_size: height and width of the inputs, which the heads without pooling need; default the variant's.
        use_global_stats: whether every BatchNorm normalizes by its running statistics in training, too, and leaves
            these as they are.
        prefix: the prefix of the names of the parameters, as for any Gluon block.
        params: shared parameters, as for any Gluon block.
        **options: options of the attention module, for instance of :class:`gluon_cbam.CBAM`.

    Attributes:
        stage_channels: the channels of the maps that :func:`gluon_cbam.features` gives.
        stage_strides: the strides of these maps, in pixels of the input.

    Inputs:
        (N, in_channels, H, W), float.

    Outputs:
        (N, classes), logits; with ``embedding``, (N, embedding), not normalized.

    Raises:
        ValueError: an argument or an input does not fit.
    """

    adaptable = ('units.0.conv.weight', 'fc.', 'head.')

    def __init__(
        self,
        alpha: float,
        classes: int = 1000,
        attention: Optional[str] = None,
        in_channels: int = 3,
        embedding: Optional[int] = None,
        embedding_head: str = 'E',
        image_size: Optional[int] = None,
        use_global_stats: bool = False,
        prefix: Optional[str] = None,
        params: Optional[ParameterDict] = None,
        **options: Any,
    ) -> None:
        super().__init__(prefix=prefix, params=params)
        check_attention(attention, options)
        if int(STEM * alpha) < 1:
            raise ValueError(f'alpha must leave the stem a channel of its {STEM}, got {alpha}')
        self._in_channels = positive_int('in_channels', in_channels)
        ends = [index for index, (_, stride) in enumerate(SEPARABLE) if stride == 2]
        self._stage_ends = [2 * index for index in (*ends, len(SEPARABLE))]  # the last unit before each stride
        self.stage_channels = tuple(int(SEPARABLE[end // 2 - 1][0] * alpha) for end in self._stage_ends)
        self.stage_strides = tuple(2 ** (stage + 1) for stage in range(len(self._stage_ends)))
        make = _factory(attention, **options) if attention else None
        with self.name_scope():
            self.units = nn.HybridSequential(prefix='')
            with self.units.name_scope():
                channels = int(STEM * alpha)
                self.units.add(_Unit(in_channels, channels, 3, 2, 1, make))
                for width, stride in SEPARABLE:
                    pointwise = int(width * alpha)
                    self.units.add(_Unit(channels, channels, 3, stride, channels, make))
                    self.units.add(_Unit(channels, pointwise, 1, 1, 1, make))
                    channels = pointwise
            self._add_end(channels, classes, init.Xavier(), embedding, embedding_head, image_size)
        keep_statistics(self, use_global_stats)

    def stage_outputs(self, F: OpNamespace, x: Tensor) -> Iterator[Tensor]:
        """Compute the last maps of strides 2, 4, 8, 16 and 32.

        Args:
            F: mxnet.ndarray or mxnet.symbol.
            x: (N, in_channels, H, W).

        Yields:
            (N, C, H / stride, W / stride), with C and stride of ``stage_channels`` and ``stage_strides``.
        """
        for number, unit in enumerate(self.units):
            x = unit(x)
            if number in self._stage_ends:
                yield x

    def hybrid_forward(self, F: OpNamespace, x: Tensor) -> Tensor:
        """Compute the logits, or the embeddings."""
        return self._end(F, self.units(x))  # of a map (N, C, H / 32, W / 32)


def _factory(attention: str, reduction: int = 16, **options: Any) -> Callable[[int], HybridBlock]:
    """A function from the number of channels to the attention module, which has at least one hidden unit."""
    positive_int('reduction', reduction)
    return lambda channels: ATTENTIONS[attention](channels, reduction=min(reduction, channels), **options)


def build(variant: MobileNetVariant, **options: Any) -> MobileNet:
    """Build the network of a row of :data:`.variants.MOBILENETS`.

    Args:
        variant: the row.
        **options: see :func:`options`.

    Returns:
        The network, not initialized.

    Raises:
        ValueError: the value of an option does not fit.
    """
    given = {'attention': variant.attention, 'image_size': variant.image_size}
    return MobileNet(variant.alpha, **{**given, **options})


def options(variant: MobileNetVariant) -> List[str]:
    """List the options that :func:`build` takes for a row: those of the network and of its attention."""
    classes = MobileNet, *attention_classes(variant.attention)
    return [name for name in option_names(*classes) if name not in ('alpha', 'attention')]
