"""Heads that turn the last map of a network into an embedding, as insightface's symbols end (``get_fc1``).

:mod:`.modified_cbamnet` always has one. Networks of classification have a dense layer with an output per class, or one
of these heads if they are built with the option ``embedding``: :class:`ClassesOrEmbedding`.
"""

from __future__ import annotations

from typing import Any, Dict, Optional, Sequence, Tuple

from mxnet import init
from mxnet.gluon import nn

from gluon_cbam.attention.blocks import CheckedBlock, positive_int
from gluon_cbam.common.errors import closest
from gluon_cbam.common.types import OpNamespace, Tensor
from gluon_cbam.ops.activation import PReLU
from gluon_cbam.ops.tracing import FusedBlock

# head -> its steps after the last unit, with the names of the source; 'norm' is a BatchNorm, 'fixed' one with gamma 1
HEADS: Dict[str, Tuple[str, ...]] = {
    'A': ('bn1 norm', 'relu1 prelu', 'pool'),
    'B': ('bn1 norm', 'relu1 prelu', 'pool', 'pre_fc1 dense'),
    'C': ('bn1 norm', 'relu1 prelu', 'pool', 'pre_fc1 dense', 'fc1 fixed'),
    'D': ('bn1 norm', 'relu1 prelu', 'pool', 'pre_fc1 dense', 'fc1 fixed', 'fc1_relu prelu'),
    'E': ('bn1 norm', 'dropout 0.4', 'pre_fc1 dense', 'fc1 fixed'),
    'F': ('bn1 norm', 'dropout 0.4', 'fc1 dense'),
    'G': ('bn1 norm', 'fc1 dense'),
    'H': ('fc1 dense',),
    'I': ('bn1 norm', 'pre_fc1 dense', 'fc1 fixed'),
    'J': ('pre_fc1 dense', 'fc1 fixed'),
}
for _head in 'ABCD':
    HEADS[f'{_head}X'] = (*HEADS[_head][:3], 'dropout 0.2', *HEADS[_head][3:])

EMBEDDING_HEADS: Dict[str, Tuple[str, ...]] = {
    **{name: steps for name, steps in HEADS.items() if any(step.endswith(' dense') for step in steps)},
    'GAP': ('pool', 'pre_fc1 dense', 'fc1 fixed'),
    'GDC': ('gdc depthwise', 'gdc_bn norm', 'pre_fc1 dense', 'fc1 fixed'),
}
"""The heads of networks of classification: those of the source with a dense layer, global average pooling, and a global
depthwise convolution (Chen et al., MobileFaceNets, CCBR 2018)."""


def face_weights() -> init.Initializer:
    """The initializer of convolutions and dense layers of insightface: Gaussian, variance 2 / fan out."""
    return init.Xavier(rnd_type='gaussian', factor_type='out', magnitude=2)


def face_norm(channels: int, scale: bool = True) -> nn.BatchNorm:
    """BatchNorm with the epsilon of insightface; without ``scale``, gamma stays 1."""
    return nn.BatchNorm(in_channels=channels, epsilon=2e-5, scale=scale)


class EmbeddingHead(FusedBlock):
    """The steps of a row of a table of heads: (N, channels, H, W) to (N, embedding), for A and AX to (N, channels).

    Args:
        steps: the row.
        channels: the number of channels of the input.
        side: height and width of the input; 0 if the first input decides.
        embedding: outputs of the dense layer.
    """

    def __init__(self, steps: Sequence[str], channels: int, side: int, embedding: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._steps = [step.split()[0] for step in steps]
        self._channels, self._fits_one_size = channels, 'pool' not in steps  # without pooling, there is a dense layer
        units = channels * side**2 if self._fits_one_size else channels
        with self.name_scope():
            for name, kind in (step.split() for step in steps if step != 'pool'):
                if name == 'dropout':
                    block = nn.Dropout(float(kind))
                elif kind == 'depthwise':
                    block = nn.Conv2D(
                        channels, side, groups=channels, use_bias=False, in_channels=channels,
                        weight_initializer=face_weights(),
                    )  # fmt: skip
                    units = channels
                elif kind == 'dense':
                    block = nn.Dense(embedding, in_units=units, weight_initializer=face_weights())
                    channels = embedding
                elif kind == 'prelu':
                    block = PReLU(in_channels=channels)
                else:
                    block = face_norm(channels, scale=kind == 'norm')
                setattr(self, name, block)

    @property
    def cells(self) -> int:
        """H * W of the map that the head expects; 0 if any size fits, or if the first input decides."""
        if not self._fits_one_size:
            return 0
        for block in self._children.values():
            if isinstance(block, nn.Conv2D):
                return block.weight.shape[2] * block.weight.shape[3]
            if isinstance(block, nn.Dense):
                return block.weight.shape[1] // self._channels
        return 0

    def hybrid_forward(self, F: OpNamespace, x: Tensor) -> Tensor:
        """See :class:`EmbeddingHead`."""
        for name in self._steps:
            x = F.flatten(F.Pooling(x, global_pool=True, pool_type='avg')) if name == 'pool' else getattr(self, name)(x)
        return x


class ClassesOrEmbedding(CheckedBlock):
    """The base of networks of classification, which end with a dense layer per class, or with an embedding head.

    Attributes:
        outputs: size of the embedding; networks with classes have no such attribute.
        fc: the dense layer, or None.
        head: the embedding head, or None.
    """

    def _add_end(
        self,
        channels: int,
        classes: int,
        initializer: init.Initializer,
        embedding: Optional[int],
        embedding_head: str,
        image_size: Optional[int],
    ) -> None:
        """Add the end of the network; call it in the network's name scope.

        Args:
            channels: channels of the last map.
            classes: outputs of the dense layer.
            initializer: of the dense layer.
            embedding: size of the embedding; None for classes.
            embedding_head: a key of :data:`EMBEDDING_HEADS`.
            image_size: height and width of the inputs of a network with an embedding.
        """
        self.fc: Any = None
        self.head: Any = None
        if embedding_head not in EMBEDDING_HEADS:
            raise ValueError(f'unknown embedding_head {embedding_head!r}: {closest(embedding_head, EMBEDDING_HEADS)}')
        if embedding is None:
            classes = positive_int('classes', classes)
            self.fc = nn.Dense(classes, in_units=channels, weight_initializer=initializer)
            return
        self.outputs = positive_int('embedding', embedding)
        side = self._last_side(positive_int('image_size', image_size))
        if side < 1:
            raise ValueError(f'image_size {image_size} leaves no cell of the last map')
        self.head = EmbeddingHead(EMBEDDING_HEADS[embedding_head], channels, side, embedding)

    def _end(self, F: OpNamespace, x: Tensor) -> Tensor:
        """The logits, or the embeddings, of the last map."""
        if self.head is not None:
            return self.head(x)
        return self.fc(F.Pooling(x, global_pool=True, pool_type='avg'))

    def _last_side(self, size: int) -> int:
        """Height of the last map for the height of an input; every halving rounds up."""
        return -(-size // self.stage_strides[-1])

    def check_input(self, shape: Tuple[int, ...]) -> None:
        """Also check the size against the embedding head."""
        super().check_input(shape)
        if self.head is None or not self.head.cells:
            return
        cells = self._last_side(shape[2]) * self._last_side(shape[3])
        if cells != self.head.cells:
            raise ValueError(
                f'{type(self).__name__} has a head for a last map of {self.head.cells} cells, the input {tuple(shape)} '
                f'gives {cells}: give --option image_size={max(shape[2:])}, or --option embedding_head=GAP'
            )
