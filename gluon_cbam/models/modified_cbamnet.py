"""Modified-CBAMnet: residual networks with CBAM for aligned faces (bruinxiong/Modified-CBAMnet.mxnet, fcbamnet.py).

The input is pixels in 0..255, which the network normalizes; the output is embeddings. A unit is BN - conv 3 x 3 - BN -
PReLU - conv 3 x 3 - BN - CBAM and the addition of the shortcut, with nothing after it; from depth 101 on it is a
bottleneck with the stride in its last convolution. The CBAM is :class:`gluon_cbam.attention.ModifiedCBAM`. BatchNorm
has eps 2e-5 and momentum 0.9; no convolution has a bias. Attributes have the names of the source where it has some, so
that parameters map one to one. Differences:

* an unknown head is an error, where the source silently uses B;
* weights are initialized as in insightface: Gaussian, variance 2 / fan out.

The variants are rows of :data:`.variants.MODIFIED_CBAMNETS`.
"""

from __future__ import annotations

from typing import Any, Callable, Iterator, List, Optional, Sequence, Tuple

import numpy as np
from mxnet.gluon import HybridBlock, nn

from gluon_cbam.attention import ModifiedCBAM
from gluon_cbam.attention.base import apply_attention
from gluon_cbam.attention.blocks import CheckedBlock, positive_int
from gluon_cbam.attention.modified import ACTIVATIONS
from gluon_cbam.common.errors import closest
from gluon_cbam.common.types import OpNamespace, Tensor
from gluon_cbam.ops.activation import PReLU
from gluon_cbam.ops.convolution import Conv2D
from gluon_cbam.ops.drop_path import path_rates
from gluon_cbam.ops.tracing import FusedBlock

from .embedding_head import HEADS, EmbeddingHead, face_norm, face_weights
from .normalization import keep_statistics
from .options import option_names
from .variants import ModifiedCBAMNetVariant

_Steps = Tuple[Tuple[str, Tuple[Any, ...]], ...]  # name, arguments of _Step


def _conv(in_channels: int, channels: int, kernel: int, stride: int) -> Conv2D:
    return Conv2D(
        channels,
        kernel,
        stride,
        kernel // 2,
        use_bias=False,
        in_channels=in_channels,
        weight_initializer=face_weights(),
    )


class _HalfInstanceNorm(FusedBlock):
    """InstanceNorm of the first half of the channels, BatchNorm of the second."""

    def __init__(self, channels: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        half = channels // 2
        with self.name_scope():
            self.instance = nn.InstanceNorm(in_channels=half, epsilon=2e-5, scale=True)
            self.batch = face_norm(half)

    def hybrid_forward(self, F: OpNamespace, x: Tensor) -> Tensor:
        first, second = F.split(x, axis=1, num_outputs=2)
        return F.concat(self.instance(first), self.batch(second), dim=1)


class _Step(FusedBlock):
    """Layers under one name of the source: optionally BatchNorm or half InstanceNorm, PReLU, convolution.

    Args:
        in_channels: channels of the input.
        norm: None, ``bn`` or ``ibn``.
        act: whether there is a PReLU.
        conv: None, or (channels, kernel, stride).
    """

    def __init__(
        self,
        in_channels: int,
        norm: Optional[str] = None,
        act: bool = False,
        conv: Optional[Tuple[int, int, int]] = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        with self.name_scope():
            self.bn = face_norm(in_channels) if norm == 'bn' else None
            self.ibn = _HalfInstanceNorm(in_channels) if norm == 'ibn' else None
            self.act = PReLU(in_channels=in_channels) if act else None
            self.conv = _conv(in_channels, *conv) if conv else None

    def hybrid_forward(self, F: OpNamespace, x: Tensor) -> Tensor:
        for child in self._children.values():
            x = child(x)
        return x


class _Unit(FusedBlock):
    """The base of both units: body, attention, addition of the shortcut. Subclasses define the body in ``steps``.

    Args:
        in_channels: channels of the input.
        channels: the number of channels of the output.
        stride: the stride of the unit.
        projected: whether the shortcut is a convolution and a BatchNorm.
        norm: the first normalization, ``bn`` or ``ibn``.
        attention: a function from the number of channels to the attention module.
        drop_path: the probability that the body is left out while training.
    """

    def __init__(
        self,
        in_channels: int,
        channels: int,
        stride: int,
        projected: bool,
        norm: str,
        attention: Callable[[int], HybridBlock],
        drop_path: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._drop_path = drop_path
        self._body = self.steps(in_channels, channels, stride, norm)
        with self.name_scope():
            for name, arguments in self._body:
                setattr(self, name, _Step(*arguments))
            self.attention = attention(channels)
            self.conv1sc = _Step(in_channels, conv=(channels, 1, stride)) if projected else None
            self.bn_sc = _Step(channels, 'bn') if projected else None

    def hybrid_forward(self, F: OpNamespace, x: Tensor) -> Tensor:
        shortcut = x
        if self.conv1sc is not None and self.bn_sc is not None:
            shortcut = self.bn_sc(self.conv1sc(x))
        for name, _ in self._body:
            x = getattr(self, name)(x)
        return apply_attention(F, self.attention, x, shortcut, drop_path=self._drop_path)


class _Stem(FusedBlock):
    """conv 3 x 3 - BN - PReLU, or conv 7 x 7 / 2 - BN - PReLU - max-pool 3 x 3 / 2."""

    def __init__(self, in_channels: int, channels: int, small: bool, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._pools = not small
        with self.name_scope():
            self.conv = _conv(in_channels, channels, *((3, 1) if small else (7, 2)))
            self.bn = face_norm(channels)
            self.act = PReLU(in_channels=channels)

    def hybrid_forward(self, F: OpNamespace, x: Tensor) -> Tensor:
        x = self.act(self.bn(self.conv(x)))
        return F.Pooling(x, kernel=(3, 3), stride=(2, 2), pad=(1, 1), pool_type='max') if self._pools else x


class BasicUnit(_Unit):
    """BN - conv 3 x 3 - BN - PReLU - conv 3 x 3 with the stride - BN."""

    @staticmethod
    def steps(in_channels: int, channels: int, stride: int, norm: str) -> _Steps:
        """Return name and arguments of :class:`_Step` for each step of the body."""
        return (
            ('c3x3', (in_channels, norm)),
            ('c3x3_a', (in_channels, None, False, (channels, 3, 1))),
            ('c3x3_b', (channels, 'bn', True, (channels, 3, stride))),
            ('bn_c3x3_b', (channels, 'bn')),
        )


class BottleneckUnit(_Unit):
    """BN - conv 1 x 1 (a quarter) - BN - PReLU - conv 3 x 3 - BN - PReLU - conv 1 x 1 with the stride - BN."""

    @staticmethod
    def steps(in_channels: int, channels: int, stride: int, norm: str) -> _Steps:
        """Return name and arguments of :class:`_Step` for each step of the body."""
        width = channels // 4
        return (
            ('c1x1', (in_channels, norm)),
            ('c1x1_a', (in_channels, None, False, (width, 1, 1))),
            ('c3x3', (width, 'bn', True, (width, 3, 1))),
            ('c1x1_b', (width, 'bn', True, (channels, 1, stride))),
            ('bn_c1x1_b', (channels, 'bn')),
        )


class ModifiedCBAMNet(CheckedBlock):
    """A Modified-CBAMnet, as the docstring of the module describes it.

    Args:
        units: residual units of the four stages.
        widths: channels of the stem and of the stages.
        bottleneck: whether the units are bottlenecks.
        embedding: size of the output; the heads A and AX have no dense layer, their output has ``widths[-1]``.
        version_input: 1 or more: the stem is conv 3 x 3, and every stage halves the map; 0: the stem is conv 7 x 7 / 2
            and max-pool 3 x 3 / 2, and the stages after the first halve the map.
        version_output: a key of :data:`.embedding_head.HEADS`.
        version_act: activation of the MLPs of the attention: ``prelu``, ``leaky``, ``elu``, ``gelu`` or ``selu``.
        ibn: whether half of each unit's first BatchNorm is InstanceNorm, except in the last stage.
        reduction: the reduction ratio of the attention.
        image_size: height and width that the dense layer of the heads E to J expects; default 112, and with
            ``version_input=0`` those of the first input or of the parameters that are loaded.
        in_channels: channels of the input.
        use_global_stats: whether every BatchNorm normalizes by its running statistics in training, too, and leaves
            these as they are.
        drop_path: the probability that the last unit is left out while training, see
            :func:`gluon_cbam.ops.drop_path.path_rates`; parameters and inference do not depend on it.
        **kwargs: ``prefix`` and ``params``, as for any Gluon block.

    Inputs:
        (N, in_channels, H, W), float, pixels in 0..255. The heads A to D take any size, the others one.

    Outputs:
        (N, embedding), not normalized.

    Attributes:
        outputs: size of the embedding.
        stage_channels: the channels of the maps that :func:`gluon_cbam.features` gives.
        stage_strides: the strides of these maps, in pixels of the input.

    Raises:
        ValueError: an argument or an input does not fit.
    """

    adaptable = ('stem.conv.', 'head.pre_fc1.', 'head.fc1.', 'head.fc1_relu.')

    def __init__(
        self,
        units: Sequence[int],
        widths: Sequence[int],
        bottleneck: bool,
        embedding: int = 512,
        version_input: int = 1,
        version_output: str = 'E',
        version_act: str = 'prelu',
        ibn: bool = False,
        reduction: int = 16,
        image_size: Optional[int] = None,
        in_channels: int = 3,
        use_global_stats: bool = False,
        drop_path: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        _check(version_input, version_output, version_act, ibn)
        self._in_channels = positive_int('in_channels', in_channels)
        self._small_stem = version_input > 0
        self.stage_channels = tuple(widths[1:])
        self.stage_strides = (2, 4, 8, 16) if self._small_stem else (4, 8, 16, 32)
        self._stride = self.stage_strides[-1]
        if image_size is None and self._small_stem:
            image_size = 112
        side = 0 if image_size is None else -(-positive_int('image_size', image_size) // self._stride)
        embedding = positive_int('embedding', embedding)
        self.outputs = widths[-1] if version_output.startswith('A') else embedding

        def attention(channels: int) -> HybridBlock:
            return ModifiedCBAM(channels, reduction, version_act, face_weights())

        rates = iter(path_rates(drop_path, sum(units)))
        with self.name_scope():
            self.stem = _Stem(in_channels, widths[0], self._small_stem)
            for stage, count in enumerate(units, 1):
                sequence = nn.HybridSequential(prefix=f'layer{stage}_')
                norm = 'ibn' if ibn and stage < len(units) else 'bn'
                make = BottleneckUnit if bottleneck else BasicUnit
                with sequence.name_scope():
                    for index in range(count):
                        inputs = widths[stage] if index else widths[stage - 1]
                        stride = 2 if index == 0 and (self._small_stem or stage > 1) else 1
                        unit = make(inputs, widths[stage], stride, index == 0, norm, attention, next(rates))
                        sequence.register_child(unit, f'unit{index + 1}')
                setattr(self, f'layer{stage}', sequence)
            self.head = EmbeddingHead(HEADS[version_output], widths[-1], side, embedding)
        keep_statistics(self, use_global_stats)

    def stage_outputs(self, F: OpNamespace, x: Tensor) -> Iterator[Tensor]:
        """Compute the maps of the four stages.

        Args:
            F: mxnet.ndarray or mxnet.symbol.
            x: (N, in_channels, H, W), pixels in 0..255.

        Yields:
            (N, C, H / stride, W / stride), with C and stride of ``stage_channels`` and ``stage_strides``.
        """
        x = self.stem((x - 127.5) * 0.0078125)  # (N, widths[0], H, W), with version_input=0 H / 4, W / 4
        for layer in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = layer(x)
            yield x

    def hybrid_forward(self, F: OpNamespace, x: Tensor) -> Tensor:
        """Compute the embeddings."""
        *_, x = self.stage_outputs(F, x)  # (N, widths[-1], H / 16, W / 16) or / 32
        return self.head(x)

    @property
    def image_size(self) -> Optional[int]:
        """The largest height and width that the dense layer takes; None if any fits or if it is not known yet."""
        return int(self.head.cells**0.5) * self._stride or None

    def _map(self, size: Sequence[int]) -> int:
        """H * W of the last map for the height and width of an input; every halving rounds up."""
        return int(np.prod([-(-side // self._stride) for side in size]))

    def check_input(self, shape: Tuple[int, ...]) -> None:
        """Also check the size against the dense layer."""
        super().check_input(shape)
        cells, wanted = self._map(shape[2:]), self.head.cells
        if wanted and cells != wanted:
            raise ValueError(
                f'{type(self).__name__} has a dense layer for a last map of {wanted} cells, the input {tuple(shape)} '
                f'gives {cells}: build it with image_size={max(shape[2:])}, or with a head of A to D'
            )


def _check(version_input: int, version_output: str, version_act: str, ibn: bool) -> None:
    """Check the arguments of a network."""
    if isinstance(version_input, bool) or not isinstance(version_input, int) or version_input < 0:
        raise ValueError(f'version_input must be 0 (conv 7 x 7 and pooling) or at least 1, got {version_input!r}')
    if version_output not in HEADS:
        raise ValueError(f'unknown version_output {version_output!r}: {closest(version_output, HEADS)}')
    if version_act not in ACTIVATIONS:
        raise ValueError(f'unknown version_act {version_act!r}: {closest(version_act, ACTIVATIONS)}')
    if not isinstance(ibn, bool):
        raise ValueError(f'ibn must be True or False, got {ibn!r}')


_FROM_VARIANT = ('units', 'widths', 'bottleneck')


def build(variant: ModifiedCBAMNetVariant, classes: Optional[int] = None, **options: Any) -> ModifiedCBAMNet:
    """Build the network of a row of :data:`.variants.MODIFIED_CBAMNETS`.

    Args:
        variant: the row.
        classes: without effect: the output is an embedding, whose size is the option ``embedding``.
        **options: see :func:`options`.

    Returns:
        The network, not initialized.

    Raises:
        ValueError: the value of an option does not fit.
    """
    return ModifiedCBAMNet(**{name: getattr(variant, name) for name in _FROM_VARIANT}, **options)


def options(variant: ModifiedCBAMNetVariant) -> List[str]:
    """List the options that :func:`build` takes for a row."""
    return option_names(ModifiedCBAMNet)
