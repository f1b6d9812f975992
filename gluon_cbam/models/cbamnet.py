"""CBAMNet: a small stack of convolution, BatchNorm, CBAM and pooling, known from Keras 3 (NikolasMarkou/dl_techniques).

Stage: conv 3 x 3 with bias - ReLU - BatchNorm (eps 1e-3, momentum 0.99) - CBAM - max-pool 2 x 2. Head: global average
pooling and a dense layer. Its CBAM has ratio 8, an MLP without biases, and [mean, max] as the input of the spatial
convolution, which has a bias and no BatchNorm. Weights are initialized Glorot uniform, biases with 0. Differences to
Keras:

* the output is logits, where Keras applies a softmax;
* arrays are (N, C, H, W).

The variants are rows of :data:`.variants.CBAMNETS`.
"""

from __future__ import annotations

import math
from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence

import mxnet as mx
from mxnet import init
from mxnet.gluon import nn

from gluon_cbam.attention import CBAM
from gluon_cbam.attention.blocks import boolean, positive_int
from gluon_cbam.common.types import OpNamespace, Tensor
from gluon_cbam.ops.tracing import FusedBlock

from .embedding_head import ClassesOrEmbedding
from .normalization import keep_statistics
from .options import option_names
from .variants import CBAMNETS, CBAMNetVariant


def _pool(F: OpNamespace, x: Tensor) -> Tensor:
    """Max-pool 2 x 2, sizes rounded down."""
    return F.Pooling(x, kernel=(2, 2), stride=(2, 2), pool_type='max')


class _Stage(FusedBlock):
    """conv - ReLU - BN - CBAM - max-pool 2 x 2: (N, in_channels, H, W) to (N, channels, H // 2, W // 2)."""

    def __init__(self, in_channels: int, channels: int, reduction: int, kernel_size: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        glorot = init.Xavier()
        with self.name_scope():
            self.conv = nn.Conv2D(
                channels, 3, padding=1, in_channels=in_channels, activation='relu', weight_initializer=glorot
            )
            self.bn = nn.BatchNorm(in_channels=channels, epsilon=1e-3, momentum=0.99)
            self.attention = CBAM(
                channels,
                reduction,
                kernel_size,
                descriptors=('mean', 'max'),
                mlp_bias=False,
                spatial_norm=False,
                weight_initializer=glorot,
            )

    def attended(self, x: Tensor) -> Tensor:
        """Compute the map before the pooling, (N, channels, H, W)."""
        return self.attention(self.bn(self.conv(x)))

    def hybrid_forward(self, F: OpNamespace, x: Tensor) -> Tensor:
        return _pool(F, self.attended(x))


class CBAMNet(ClassesOrEmbedding):
    """A CBAMNet, as the docstring of the module describes it.

    Args:
        classes: outputs of the last layer; without effect if ``include_top`` is False.
        dims: channels of the stages, each divisible by ``reduction``.
        reduction: ratio of the channel gates.
        kernel_size: the kernel size of the spatial gates, odd.
        include_top: whether there is a head; without it, the output is the last pooled map.
        in_channels: channels of the input.
        channel_l2: factor of the L2 penalty on the kernels of the channel gates, see :meth:`penalty`.
        spatial_l2: factor of the L2 penalty on the kernels of the spatial gates.
        embedding: size of embeddings, for a network that gives these instead of logits; None for logits.
        embedding_head: the head that gives embeddings, a key of :data:`.embedding_head.EMBEDDING_HEADS`.
        image_size: height and width of the inputs, which the heads without pooling need; default the variant's.
        use_global_stats: whether every BatchNorm normalizes by its running statistics in training, too, and leaves
            these as they are.
        **kwargs: ``prefix`` and ``params``, as for any Gluon block.

    Attributes:
        stage_channels: the channels of the maps that :func:`gluon_cbam.features` gives.
        stage_strides: the strides of these maps, in pixels of the input.

    Inputs:
        (N, in_channels, H, W), float; H and W at least ``2 ** len(dims)``.

    Outputs:
        (N, classes), logits; with ``embedding``, (N, embedding), not normalized; without the top
        (N, dims[-1], H // 2 ** len(dims), W // 2 ** len(dims)).

    Raises:
        ValueError: an argument or an input does not fit.
    """

    adaptable = ('stages.0.conv.weight', 'fc.', 'head.')

    def __init__(
        self,
        classes: int = 1000,
        dims: Sequence[int] = (64, 128),
        reduction: int = 8,
        kernel_size: int = 7,
        include_top: bool = True,
        in_channels: int = 3,
        channel_l2: float = 0.0,
        spatial_l2: float = 0.0,
        embedding: Optional[int] = None,
        embedding_head: str = 'E',
        image_size: Optional[int] = None,
        use_global_stats: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        for name, strength in (('channel_l2', channel_l2), ('spatial_l2', spatial_l2)):
            if not 0 <= strength < math.inf:
                raise ValueError(f'{name} must be at least 0, got {strength!r}')
        if isinstance(dims, (str, int)) or not dims:
            raise ValueError(f'dims must be the channels of at least one stage, got {dims!r}')
        for channels in dims:
            if positive_int('every entry of dims', channels) % positive_int('reduction', reduction):
                raise ValueError(f'every entry of dims must be divisible by the reduction {reduction}, got {channels}')
        if not boolean('include_top', include_top) and embedding is not None:
            raise ValueError('embedding needs a head: leave include_top=False out')
        self._in_channels = positive_int('in_channels', in_channels)
        self._smallest = 2 ** len(dims)
        self._channel_l2, self._spatial_l2 = channel_l2, spatial_l2
        self._config = dict(
            classes=classes,
            dims=list(dims),
            reduction=reduction,
            kernel_size=kernel_size,
            include_top=include_top,
            in_channels=in_channels,
            channel_l2=channel_l2,
            spatial_l2=spatial_l2,
            **({} if embedding is None else _embedding(embedding, embedding_head, image_size)),
            **({'use_global_stats': True} if use_global_stats else {}),
        )
        self.stage_channels = tuple(dims)
        self.stage_strides = tuple(2**stage for stage in range(len(dims)))
        with self.name_scope():
            self.stages = nn.HybridSequential(prefix='')
            with self.stages.name_scope():
                for inputs, channels in zip((in_channels, *dims), dims):
                    self.stages.add(_Stage(inputs, channels, reduction, kernel_size))
            self.fc = self.head = None
            if include_top:
                self._add_end(dims[-1], classes, init.Xavier(), embedding, embedding_head, image_size)
        keep_statistics(self, use_global_stats)

    def stage_outputs(self, F: OpNamespace, x: Tensor) -> Iterator[Tensor]:
        """Compute the outputs of the CBAM of each stage, before the pooling.

        Args:
            F: mxnet.ndarray or mxnet.symbol.
            x: (N, in_channels, H, W).

        Yields:
            (N, C, H / stride, W / stride), with C and stride of ``stage_channels`` and ``stage_strides``.
        """
        for stage in self.stages:
            attended = stage.attended(x)
            yield attended
            x = _pool(F, attended)

    def hybrid_forward(self, F: OpNamespace, x: Tensor) -> Tensor:
        """Compute the logits, the embeddings, or the last pooled map."""
        x = self.stages(x)
        return x if self.fc is self.head is None else self._end(F, x)

    def _last_side(self, size: int) -> int:
        """Every halving rounds down."""
        return size // self._smallest

    def penalty(self, ctx: mx.Context) -> Optional[mx.nd.NDArray]:
        """Compute what a training loop adds to the mean loss: the factors times the sums of the squared gate kernels.

        This is ``kernel_regularizer=L2(factor)`` of Keras: kernels only, no biases.

        Args:
            ctx: the device of the parameters and of the result.

        Returns:
            (1,), recorded by autograd; None without penalties.
        """
        terms = []
        for stage in self.stages:
            channel, spatial = stage.attention.channel, stage.attention.spatial
            for strength, layers in (
                (self._channel_l2, (channel.fc1, channel.fc2)),
                (self._spatial_l2, (spatial.conv,)),
            ):
                if strength:
                    terms += [strength * layer.weight.data(ctx).square().sum() for layer in layers]
        return sum(terms) if terms else None

    def get_config(self) -> Dict[str, Any]:
        """Return the arguments with which the constructor builds this network again, as JSON can hold them."""
        return dict(self._config)

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> CBAMNet:
        """Build a network from the result of :meth:`get_config`; parameters are not part of it.

        Args:
            config: arguments of the constructor.

        Returns:
            The network, not initialized.

        Raises:
            ValueError: an argument does not fit.
        """
        return cls(**config)

    @classmethod
    def from_variant(
        cls, variant: str, num_classes: int = 1000, input_shape: Optional[Sequence[int]] = None, **options: Any
    ) -> CBAMNet:
        """Build a network from the arguments of the Keras class.

        Args:
            variant: ``tiny``, ``small`` or ``base``.
            num_classes: outputs of the last layer.
            input_shape: (height, width, channels) as in Keras, which gives the channels and is checked; height and
                width may be None. Default 3 channels.
            **options: the arguments of :class:`CBAMNet` without ``dims``.

        Returns:
            The network, not initialized.

        Raises:
            ValueError: an unknown variant, or an argument that does not fit.
        """
        rows = {row.name[len('cbamnet_') :]: row for row in CBAMNETS}
        if variant not in rows:
            raise ValueError(f'unknown variant {variant!r}: known: {", ".join(rows)}')
        if input_shape is not None:
            if len(input_shape) != 3:
                raise ValueError(f'input_shape must be (height, width, channels), got {tuple(input_shape)}')
            options['in_channels'] = input_shape[2]
        net = build(rows[variant], classes=num_classes, **options)
        if input_shape is not None:
            net.check_input((1, input_shape[2], *(size or net._smallest for size in input_shape[:2])))
        return net


def _embedding(embedding: int, embedding_head: str, image_size: Optional[int]) -> Dict[str, Any]:
    """The arguments of a network with an embedding head."""
    return {'embedding': embedding, 'embedding_head': embedding_head, 'image_size': image_size}


def build(variant: CBAMNetVariant, **options: Any) -> CBAMNet:
    """Build the network of a row of :data:`.variants.CBAMNETS`.

    Args:
        variant: the row.
        **options: see :func:`options`.

    Returns:
        The network, not initialized.

    Raises:
        ValueError: the value of an option does not fit.
    """
    return CBAMNet(**{'dims': variant.dims, 'image_size': variant.image_size, **options})


def options(variant: CBAMNetVariant) -> List[str]:
    """List the options that :func:`build` takes for a row."""
    return [name for name in option_names(CBAMNet) if name != 'dims']
