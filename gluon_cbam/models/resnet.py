"""ResNet, WideResNet and ResNeXt, each with optional attention.

Sources: He et al., CVPR 2016; Zagoruyko and Komodakis, BMVC 2016; Xie et al., CVPR 2017; Woo et al., ECCV 2018,
section 4. The networks follow the official CBAM code (MODELS/model_resnet.py): SE and CBAM scale the residual branch
after its last BatchNorm and before the addition, in every block of all four stages; BAM follows stages 1, 2 and 3.
Differences:

* the last pooling is global, where the official code pools 7 x 7 (ImageNet) or 4 x 4 (CIFAR). This is the same at 224
  and 32 pixels, and works for other sizes;
* ``bottleneck_stride='1x1'`` moves the stride of a bottleneck into its first convolution, which the GFLOPs of the paper
  need;
* WideResNet and ResNeXt are not in that code: ``widen`` multiplies the width of the four stages but not of the stem,
  whose width is ``stem_width``; ``groups`` and ``group_width`` are the cardinality and width of ResNeXt; table 4 of the
  paper has their counts.

The variants are rows of :data:`.variants.RESNETS`.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Callable, Iterator, List, Mapping, Optional, Sequence, Tuple

from mxnet import init
from mxnet.gluon import HybridBlock, ParameterDict, nn

from gluon_cbam.attention import ATTENTIONS
from gluon_cbam.attention.base import apply_attention
from gluon_cbam.attention.blocks import boolean, positive_int
from gluon_cbam.common.errors import closest
from gluon_cbam.common.types import OpNamespace, Tensor
from gluon_cbam.ops.convolution import Conv2D
from gluon_cbam.ops.drop_path import drop_path, path_rates
from gluon_cbam.ops.tracing import FusedBlock

from .embedding_head import ClassesOrEmbedding
from .normalization import keep_statistics
from .options import attention_classes, check_attention, option_names
from .variants import ResNetVariant

AFTER_STAGES = ('bam',)
"""The attentions that follow stages 1, 2 and 3; the others are part of every block."""
_AttentionFactory = Callable[[int], HybridBlock]  # from the number of channels
STEMS = ('imagenet', 'deep', 'cifar')
STRIDES = ('3x3', '1x1')


def _conv(
    channels: int,
    kernel: int,
    stride: int,
    in_channels: int,
    initializer: Optional[init.Initializer] = None,
    groups: int = 1,
    dilation: int = 1,
) -> Conv2D:
    """Convolution without bias that keeps the size at stride 1; by default initialized Kaiming normal, fan out."""
    return Conv2D(
        channels,
        kernel,
        stride,
        kernel // 2 * dilation,
        dilation,
        groups,
        use_bias=False,
        in_channels=in_channels,
        weight_initializer=initializer or init.MSRAPrelu(factor_type='out', slope=0),
    )


class _ResidualBlock(FusedBlock):
    """The base of both blocks: body, attention, addition of the shortcut, ReLU.

    Subclasses define ``_add_body``, ``_body`` and ``last_norm``, the BatchNorm before the attention and the addition:
    if its gamma is 0, the block is equal to its shortcut.

    Args:
        in_channels: channels of the input.
        width: the width of the stage; the output has ``width * expansion`` channels.
        stride: the stride of the block.
        attention: None, or a function from the number of channels to the attention module.
        bottleneck_stride: the convolution of a bottleneck with the stride, ``3x3`` or ``1x1``.
        groups: the groups of a bottleneck's 3 x 3 convolution.
        group_width: channels of each group where the width is 64.
        dilations: of the first 3 x 3 convolution, and of the second.
        drop_path: the probability that the body is left out while training.
    """

    expansion = 1

    def __init__(
        self,
        in_channels: int,
        width: int,
        stride: int,
        attention: Optional[_AttentionFactory],
        bottleneck_stride: str,
        groups: int,
        group_width: int,
        dilations: Tuple[int, int] = (1, 1),
        drop_path: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._drop_path = drop_path
        channels = width * self.expansion
        with self.name_scope():
            self._add_body(in_channels, width, stride, dilations, bottleneck_stride, groups, group_width)
            self.attention = attention(channels) if attention else None
            self.downsample = None
            if stride != 1 or in_channels != channels:
                # the official code initializes convolutions by name, which excludes this one: it has PyTorch's default
                uniform = init.Xavier(rnd_type='uniform', factor_type='in', magnitude=1)
                self.downsample = nn.HybridSequential()
                self.downsample.add(
                    _conv(channels, 1, stride, in_channels, uniform), nn.BatchNorm(in_channels=channels)
                )

    def hybrid_forward(self, F: OpNamespace, x: Tensor) -> Tensor:
        shortcut = x if self.downsample is None else self.downsample(x)
        residual = self._body(F, x)
        if self.attention is not None:
            return apply_attention(F, self.attention, residual, shortcut, relu=True, drop_path=self._drop_path)
        return F.Activation(drop_path(F, residual, self._drop_path) + shortcut, act_type='relu')


class BasicBlock(_ResidualBlock):
    """conv 3 x 3 - BN - ReLU - conv 3 x 3 - BN."""

    def _add_body(self, in_channels: int, width: int, stride: int, dilations: Tuple[int, int], *_: object) -> None:
        self.conv1 = _conv(width, 3, stride, in_channels, dilation=dilations[0])
        self.bn1 = nn.BatchNorm(in_channels=width)
        self.conv2 = _conv(width, 3, 1, width, dilation=dilations[1])
        self.bn2 = nn.BatchNorm(in_channels=width)

    @property
    def last_norm(self) -> nn.BatchNorm:
        """The BatchNorm before the attention and the addition."""
        return self.bn2

    def _body(self, F: OpNamespace, x: Tensor) -> Tensor:
        x = F.Activation(self.bn1(self.conv1(x)), act_type='relu')
        return self.bn2(self.conv2(x))


class Bottleneck(_ResidualBlock):
    """conv 1 x 1 - BN - ReLU - conv 3 x 3, in groups for ResNeXt - BN - ReLU - conv 1 x 1 (4 x the width) - BN."""

    expansion = 4

    def _add_body(
        self,
        in_channels: int,
        width: int,
        stride: int,
        dilations: Tuple[int, int],
        bottleneck_stride: str,
        groups: int,
        group_width: int,
    ) -> None:
        first, second = (stride, 1) if bottleneck_stride == '1x1' else (1, stride)
        inner = int(width * group_width / 64) * groups
        self.conv1 = _conv(inner, 1, first, in_channels)
        self.bn1 = nn.BatchNorm(in_channels=inner)
        self.conv2 = _conv(inner, 3, second, inner, groups=groups, dilation=dilations[0])
        self.bn2 = nn.BatchNorm(in_channels=inner)
        self.conv3 = _conv(width * 4, 1, 1, inner)
        self.bn3 = nn.BatchNorm(in_channels=width * 4)

    @property
    def last_norm(self) -> nn.BatchNorm:
        """The BatchNorm before the attention and the addition."""
        return self.bn3

    def _body(self, F: OpNamespace, x: Tensor) -> Tensor:
        x = F.Activation(self.bn1(self.conv1(x)), act_type='relu')
        x = F.Activation(self.bn2(self.conv2(x)), act_type='relu')
        return self.bn3(self.conv3(x))


BLOCKS = {'basic': BasicBlock, 'bottleneck': Bottleneck}


class ResNet(ClassesOrEmbedding):
    """A residual network with optional attention.

    Args:
        block: ``basic`` or ``bottleneck``.
        layers: blocks of the four stages, of width 64, 128, 256, 512.
        classes: outputs of the last layer.
        stem: ``imagenet`` (conv 7 x 7 / 2, BN, ReLU, max-pool 3 x 3 / 2), ``deep`` (the same with three conv 3 x 3, as
            in GluonCV's ``resnet50_v1s``) or ``cifar`` (conv 3 x 3, BN, ReLU).
        attention: None or a key of :data:`gluon_cbam.attention.ATTENTIONS`.
        bottleneck_stride: ``3x3`` (official code, torchvision) or ``1x1`` (the paper's count).
        in_channels: channels of the input.
        widen: multiplies the width of the stages.
        stem_width: channels of the stem's convolutions, as in timm; the last one of the deep stem has twice as many.
        groups: the groups of the bottleneck's 3 x 3 convolution.
        group_width: channels of each group in the first stage.
        embedding: size of embeddings, for a network that gives these instead of logits; None for logits.
        embedding_head: the head that gives embeddings, a key of :data:`.embedding_head.EMBEDDING_HEADS`.
        image_size: height and width of the inputs, which the heads without pooling need; default the variant's.
        dilated: whether the last two stages keep the stride of the second, 8 with the stem for ImageNet, with
            convolutions dilated by 2 and 4 (Yu and Koltun, ICLR 2016); the parameters are the same.
        use_global_stats: whether every BatchNorm normalizes by its running statistics in training, too, and leaves
            these as they are.
        drop_path: the probability that the last block is left out while training, see
            :func:`gluon_cbam.ops.drop_path.path_rates`; parameters and inference do not depend on it.
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

    adaptable = ('conv1.', 'fc.', 'head.')

    def __init__(
        self,
        block: str,
        layers: Sequence[int],
        classes: int = 1000,
        stem: str = 'imagenet',
        attention: Optional[str] = None,
        bottleneck_stride: str = '3x3',
        in_channels: int = 3,
        widen: float = 1.0,
        stem_width: int = 64,
        groups: int = 1,
        group_width: int = 64,
        embedding: Optional[int] = None,
        embedding_head: str = 'E',
        image_size: Optional[int] = None,
        dilated: bool = False,
        use_global_stats: bool = False,
        drop_path: float = 0.0,
        prefix: Optional[str] = None,
        params: Optional[ParameterDict] = None,
        **options: Any,
    ) -> None:
        super().__init__(prefix=prefix, params=params)
        _check(block, stem, attention, bottleneck_stride, widen, groups, group_width, options)
        self._in_channels = positive_int('in_channels', in_channels)
        boolean('dilated', dilated)
        self._imagenet_stem = stem != 'cifar'
        self.stage_channels = tuple(int(64 * 2**stage * widen) * BLOCKS[block].expansion for stage in range(4))
        first = 4 if self._imagenet_stem else 1
        self.stage_strides = tuple(first * 2 ** (min(stage, 1) if dilated else stage) for stage in range(4))
        module = partial(_attention, attention, options) if attention else None
        in_blocks = None if attention in AFTER_STAGES else module
        after_stages = module if attention in AFTER_STAGES else None
        rates = iter(path_rates(drop_path, sum(layers)))
        with self.name_scope():
            self.conv1, channels = _stem(stem, in_channels, positive_int('stem_width', stem_width))
            self.bn1 = nn.BatchNorm(in_channels=channels)
            for stage, blocks in enumerate(layers):
                width = int(64 * 2**stage * widen)
                sequence = nn.HybridSequential(prefix=f'layer{stage + 1}_')
                with sequence.name_scope():
                    for index in range(blocks):
                        stride, dilations = _stride_and_dilations(stage, index == 0, dilated)
                        sequence.add(
                            BLOCKS[block](
                                channels,
                                width,
                                stride,
                                in_blocks,
                                bottleneck_stride,
                                groups,
                                group_width,
                                dilations,
                                next(rates),
                            )  # fmt: skip
                        )
                        channels = width * BLOCKS[block].expansion
                setattr(self, f'layer{stage + 1}', sequence)
                follows = after_stages if stage < len(layers) - 1 else None
                setattr(self, f'attention{stage + 1}', follows(channels) if follows else None)
            fan_in = init.MSRAPrelu(factor_type='in', slope=0)
            self._add_end(channels, classes, fan_in, embedding, embedding_head, image_size)
        keep_statistics(self, use_global_stats)

    def stage_outputs(self, F: OpNamespace, x: Tensor) -> Iterator[Tensor]:
        """Compute the maps of the four stages, BAM included.

        Args:
            F: mxnet.ndarray or mxnet.symbol.
            x: (N, in_channels, H, W).

        Yields:
            (N, C, H / stride, W / stride), with C and stride of ``stage_channels`` and ``stage_strides``.
        """
        x = F.Activation(self.bn1(self.conv1(x)), act_type='relu')  # (N, C, H / 2, W / 2); the CIFAR stem keeps H, W
        if self._imagenet_stem:
            x = F.Pooling(x, kernel=(3, 3), stride=(2, 2), pad=(1, 1), pool_type='max')  # (N, C, H / 4, W / 4)
        for stage, attention in (
            (self.layer1, self.attention1),
            (self.layer2, self.attention2),
            (self.layer3, self.attention3),
            (self.layer4, None),
        ):
            x = stage(x)
            if attention is not None:
                x = attention(x)
            yield x

    def hybrid_forward(self, F: OpNamespace, x: Tensor) -> Tensor:
        """Compute the logits, or the embeddings."""
        *_, x = self.stage_outputs(F, x)
        return self._end(F, x)


def _stem(stem: str, in_channels: int, width: int) -> Tuple[HybridBlock, int]:
    """The convolution of a stem before its last BatchNorm, and its channels."""
    if stem != 'deep':
        return (_conv(width, 7, 2, in_channels) if stem == 'imagenet' else _conv(width, 3, 1, in_channels)), width
    layers = nn.HybridSequential(prefix='conv1_')
    with layers.name_scope():
        for stride, channels in ((2, in_channels), (1, width)):
            layers.add(_conv(width, 3, stride, channels), nn.BatchNorm(in_channels=width), nn.Activation('relu'))
        layers.add(_conv(2 * width, 3, 1, width))
    return layers, 2 * width


def _stride_and_dilations(stage: int, first: bool, dilated: bool) -> Tuple[int, Tuple[int, int]]:
    """The stride of a block, and the dilations of its 3 x 3 convolutions.

    The first convolution of a dilated stage reads the map of the stage before, and has its dilation.
    """
    if not dilated or stage < 2:
        return 2 if stage > 0 and first else 1, (1, 1)
    dilation = 2 ** (stage - 1)
    return 1, (dilation // 2 if first else dilation, dilation)


def _attention(name: str, options: Mapping[str, Any], channels: int) -> HybridBlock:
    """An attention module for a number of channels."""
    return ATTENTIONS[name](channels, **options)


def _check(
    block: str,
    stem: str,
    attention: Optional[str],
    bottleneck_stride: str,
    widen: float,
    groups: int,
    group_width: int,
    options: Mapping[str, Any],
) -> None:
    """Check the arguments of a network."""
    for value, known, what in (
        (block, BLOCKS, 'block'),
        (stem, STEMS, 'stem'),
        (bottleneck_stride, STRIDES, 'bottleneck_stride'),
    ):
        if value not in known:
            raise ValueError(f'unknown {what} {value!r}: {closest(value, known)}')
    check_attention(attention, options)
    if positive_int('groups', groups) > 1 and block != 'bottleneck':
        raise ValueError(f'groups needs bottleneck blocks, got {groups} with {block} blocks')
    if int(64 * widen) < 1:
        raise ValueError(f'widen must leave the first stage a channel of its 64, got {widen}')
    if int(64 * widen) * positive_int('group_width', group_width) < 64:
        raise ValueError(f'group_width must leave each group a channel, got {group_width} with widen {widen}')


_FROM_VARIANT = ('block', 'layers', 'stem', 'attention', 'groups', 'group_width')


def build(variant: ResNetVariant, **options: Any) -> ResNet:
    """Build the network of a row of :data:`.variants.RESNETS`.

    Args:
        variant: the row.
        **options: see :func:`options`; ``widen`` defaults to that of the row, and a value below 1 makes a narrow
            network for small images.

    Returns:
        The network, not initialized.

    Raises:
        ValueError: the value of an option does not fit.
    """
    given = {name: getattr(variant, name) for name in (*_FROM_VARIANT, 'widen', 'image_size')}
    return ResNet(**{**given, **options})


def options(variant: ResNetVariant) -> List[str]:
    """List the options that :func:`build` takes for a row: those of the network and of its attention."""
    classes = ResNet, *attention_classes(variant.attention)
    return [name for name in option_names(*classes) if name not in _FROM_VARIANT]
