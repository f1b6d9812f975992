"""VGG16 with dilated convolutions in place of its dense layers: the backbone of SSD (Liu et al., ECCV 2016, section 3).

The stages are those of VGG16 (Simonyan & Zisserman, arXiv 1409.1556, table 1, D): 3 x 3 convolutions with a bias, each
followed by a ReLU, and max-pooling 2 x 2 between them, whose sizes round up. Behind the fifth stage, fc6 is a 3 x 3
convolution with dilation 6 and fc7 one of 1 x 1, 1024 channels each. The pooling before them is 3 x 3 with stride 1, so
that their stride is 16. As a network of classification, a dense layer follows the mean over that map.

The CBAM paper has no attention in a VGG16. Where a detector asks for it, it is at the end of every stage.

The variants are rows of :data:`.variants.VGGS`.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Callable, Iterator, List, Optional, Sequence

from mxnet import init
from mxnet.gluon import HybridBlock, ParameterDict, nn

from gluon_cbam.attention import ATTENTIONS
from gluon_cbam.attention.blocks import positive_int
from gluon_cbam.common.types import OpNamespace, Tensor
from gluon_cbam.ops.tracing import FusedBlock

from .embedding_head import ClassesOrEmbedding
from .options import attention_classes, check_attention, option_names
from .variants import VGGVariant

WIDTHS = (64, 128, 256, 512, 512, 1024)
"""Channels of the stages, the last of fc6 and fc7."""
_DENSE = [(3, 6), (1, 1)]  # kernel and dilation of fc6 and fc7


class _Stage(FusedBlock):
    """Convolutions with a ReLU each, then attention: (N, in_channels, H, W) to (N, channels, H, W)."""

    def __init__(self, convolutions: Sequence[nn.Conv2D], attention: Optional[HybridBlock], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.convs = nn.HybridSequential(prefix='')
        self.convs.add(*convolutions)
        self.attention = attention

    def hybrid_forward(self, F: OpNamespace, x: Tensor) -> Tensor:
        for conv in self.convs:
            x = F.Activation(conv(x), act_type='relu')
        return x if self.attention is None else self.attention(x)


class VGG(ClassesOrEmbedding):
    """A VGG with dilated convolutions, as the docstring of the module describes it.

    Args:
        convolutions: the 3 x 3 convolutions of the first five stages.
        classes: outputs of the last layer.
        attention: None or a key of :data:`gluon_cbam.attention.ATTENTIONS`.
        in_channels: channels of the input.
        widen: multiplies the channels of every stage.
        embedding: size of embeddings, for a network that gives these instead of logits; None for logits.
        embedding_head: the head that gives embeddings, a key of :data:`.embedding_head.EMBEDDING_HEADS`.
        image_size: height and width of the inputs, which the heads without pooling need; default the variant's.
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

    adaptable = ('stages.0.convs.0.weight', 'fc.', 'head.')

    def __init__(
        self,
        convolutions: Sequence[int],
        classes: int = 1000,
        attention: Optional[str] = None,
        in_channels: int = 3,
        widen: float = 1.0,
        embedding: Optional[int] = None,
        embedding_head: str = 'E',
        image_size: Optional[int] = None,
        prefix: Optional[str] = None,
        params: Optional[ParameterDict] = None,
        **options: Any,
    ) -> None:
        super().__init__(prefix=prefix, params=params)
        check_attention(attention, options)
        self._in_channels = positive_int('in_channels', in_channels)
        self.stage_channels = tuple(int(width * widen) for width in WIDTHS)
        self.stage_strides = (1, 2, 4, 8, 16, 16)
        if min(self.stage_channels) < 1:
            raise ValueError(f'widen must leave every stage a channel, got {widen}')
        module: Optional[Callable[[int], HybridBlock]] = (
            partial(ATTENTIONS[attention], **options) if attention else None
        )
        with self.name_scope():
            self.stages = nn.HybridSequential(prefix='')
            channels = in_channels
            layers = [*([(3, 1)] * count for count in convolutions), _DENSE]
            for width, of_stage in zip(self.stage_channels, layers):
                inputs = [channels, *[width] * (len(of_stage) - 1)]
                convs = [_conv(width, *layer, each) for layer, each in zip(of_stage, inputs)]
                self.stages.add(_Stage(convs, module(width) if module else None))
                channels = width
            self._add_end(channels, classes, init.Xavier(), embedding, embedding_head, image_size)

    def stage_outputs(self, F: OpNamespace, x: Tensor) -> Iterator[Tensor]:
        """Compute the maps of the five stages before their pooling, and that of fc7.

        Args:
            F: mxnet.ndarray or mxnet.symbol.
            x: (N, in_channels, H, W).

        Yields:
            (N, C, H / stride, W / stride), with C and stride of ``stage_channels`` and ``stage_strides``.
        """
        for number, stage in enumerate(self.stages):
            if number == len(self.stages) - 1:
                x = F.Pooling(x, kernel=(3, 3), stride=(1, 1), pad=(1, 1), pool_type='max')
            elif number:
                x = F.Pooling(x, kernel=(2, 2), stride=(2, 2), pool_type='max', pooling_convention='full')
            x = stage(x)
            yield x

    def hybrid_forward(self, F: OpNamespace, x: Tensor) -> Tensor:
        """Compute the logits, or the embeddings."""
        *_, last = self.stage_outputs(F, x)  # (N, 1024, H / 16, W / 16)
        return self._end(F, last)


def _conv(channels: int, kernel: int, dilation: int, in_channels: int) -> nn.Conv2D:
    return nn.Conv2D(
        channels,
        kernel,
        padding=dilation * (kernel // 2),
        dilation=dilation,
        in_channels=in_channels,
        weight_initializer=init.Xavier(rnd_type='gaussian', factor_type='out', magnitude=2),
    )


def build(variant: VGGVariant, **options: Any) -> VGG:
    """Build the network of a row of :data:`.variants.VGGS`.

    Args:
        variant: the row.
        **options: see :func:`options`.

    Returns:
        The network, not initialized.

    Raises:
        ValueError: the value of an option does not fit.
    """
    given = {'attention': variant.attention, 'image_size': variant.image_size}
    return VGG(variant.convolutions, **{**given, **options})


def options(variant: VGGVariant) -> List[str]:
    """List the options that :func:`build` takes for a row: those of the network and of its attention."""
    classes = VGG, *attention_classes(variant.attention)
    return [name for name in option_names(*classes) if name not in ('convolutions', 'attention')]
