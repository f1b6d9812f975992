"""The base of networks of semantic segmentation: a dilated backbone, a head, and an auxiliary head for training."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple

from mxnet.gluon import HybridBlock

from gluon_cbam.attention.blocks import boolean, positive_int
from gluon_cbam.common.types import OpNamespace, Tensor
from gluon_cbam.models.detection.backbone import backbone_row, build_parts, chosen_backbone, known_options, options_of
from gluon_cbam.models.features import Features
from gluon_cbam.models.mode_graphs import ModeGraphs
from gluon_cbam.models.options import option_names
from gluon_cbam.models.segmentation_variants import FCNVariant

from .heads import PixelClassifier

_STRIDE = 8  # of the last map; a backbone with a larger one is dilated, if it can be
_INNER = 4  # channels of the last map over those of a fully convolutional head


class Segmenter(ModeGraphs):
    """A network that gives the class of each pixel.

    Its logits are computed for the cells of the last map of the backbone, and resized to the input by bilinear
    interpolation with aligned corners, as in GluonCV. Subclasses implement :meth:`add_head` and :meth:`logits_of`.

    Args:
        variant: the row.
        classes: number of classes, with the background where it is one.
        backbone: the name of a network of this package with stages; default the variant's.
        dilated: whether the backbone keeps a stride of 8; default where it can and would have a larger one.
        attention: None or a key of :data:`gluon_cbam.attention.ATTENTIONS`.
        attention_in: ``backbone``, ``heads`` (before the classifier) or ``both``.
        aux: whether a second head reads the last but one map while training.
        **options: options of the backbone and of the attention.

    Attributes:
        segments: True; other networks have no such attribute.
        classes: the number of classes.

    Inputs:
        (N, C, H, W), float.

    Outputs:
        Logits (N, classes, H, W). While training (in ``autograd.record()`` and ``train_mode()``), a list of them and,
        with ``aux``, those of the second head.

    Raises:
        ValueError: an argument or an input does not fit.
    """

    segments = True
    only_training = ('aux_head',)

    def __init__(
        self,
        variant: FCNVariant,
        classes: int = 21,
        backbone: Optional[str] = None,
        dilated: Optional[bool] = None,
        attention: Optional[str] = None,
        attention_in: str = 'backbone',
        aux: bool = True,
        **options: Any,
    ) -> None:
        super().__init__()
        self.classes = positive_int('classes', classes)
        name = backbone or variant.backbone
        with self.name_scope():
            network, module = build_parts(name, attention, attention_in, {**options, **_dilation(name, dilated)})
            if dilated is None and network.stage_strides[-1] > _STRIDE and 'dilated' in options_of(backbone_row(name)):
                network, module = build_parts(name, attention, attention_in, {**options, 'dilated': True})
            self.backbone = Features(network, (-2, -1) if boolean('aux', aux) else (-1,))
            self._in_channels = network._in_channels
            self._smallest = max(network._smallest, network.stage_strides[-1])
            self.adaptable = (*(f'backbone.{each}' for each in network.adaptable), 'head.classifier.', 'aux_head.')
            self.add_head(variant, self.backbone.channels[-1], module)
            self.aux_head = None
            if aux:
                channels = self.backbone.channels[0]
                self.aux_head = PixelClassifier(channels, max(channels // _INNER, 1), classes)
            self._add_graphs()

    def add_head(self, variant: FCNVariant, channels: int, attention: Optional[Callable[[int], HybridBlock]]) -> None:
        """Add the blocks that read the last map, ``head`` among them.

        Args:
            variant: the row.
            channels: channels of the map.
            attention: makes the attention module before the classifier from its channels; None for none.
        """
        self.head = PixelClassifier(channels, max(channels // _INNER, 1), self.classes, attention)

    def logits_of(self, F: OpNamespace, last: Tensor) -> Tensor:
        """Compute the logits of the cells of the last map.

        Args:
            F: ``mxnet.ndarray`` or ``mxnet.symbol``.
            last: (N, channels, h, w).

        Returns:
            (N, classes, h, w).
        """
        return self.head(last)

    def raw(self, F: OpNamespace, x: Tensor, *inputs: Tensor) -> List[Tensor]:
        """Compute the logits of both heads; see :class:`Segmenter`."""
        maps = self.backbone(x)
        logits = [self.logits_of(F, maps[-1])]
        if self.aux_head is not None:
            logits.append(self.aux_head(maps[0]))
        return [_interpolated(F, each, x) for each in logits]

    def final(self, F: OpNamespace, x: Tensor, *constants: Tensor) -> Tensor:
        """Compute the logits; see :class:`Segmenter`."""
        return F.contrib.BilinearResize2D(self.logits_of(F, self.backbone(x)[-1]), x, mode='like')


def _interpolated(F: OpNamespace, x: Tensor, like: Tensor) -> Tensor:
    """What BilinearResize2D gives, as two products with matrices.

    The gradient of MXNet's operator on several threads of a CPU is added up in any order, so that two runs would differ
    in their last digits.
    """
    x, like = (F.cast(each, dtype='float32') for each in (x, like))
    rows, columns = (_weights(F, x, like, axis) for axis in (2, 3))
    x = F.dot(x, columns)  # (N, C, h, W)
    x = F.dot(F.transpose(x, axes=(0, 1, 3, 2)), rows)  # (N, C, W, H)
    return F.transpose(x, axes=(0, 1, 3, 2))


def _weights(F: OpNamespace, x: Tensor, like: Tensor, axis: int) -> Tensor:
    """The weight of each cell for each pixel along an axis, by their distance: (cells, pixels)."""
    cells, pixels = F.contrib.arange_like(x, axis=axis), F.contrib.arange_like(like, axis=axis)
    last, end = F.max(cells), F.broadcast_maximum(F.max(pixels), F.ones((1,)))  # aligned with each other
    places = F.broadcast_mul(pixels, F.broadcast_div(last, end))
    distances = F.abs(F.broadcast_sub(F.expand_dims(cells, axis=1), F.expand_dims(places, axis=0)))
    return F.relu(1 - distances)


def _dilation(name: str, dilated: Optional[bool]) -> Dict[str, bool]:
    """The option of a backbone for its dilation.

    Raises:
        ValueError: it has none, and is to be dilated; or ``dilated`` is neither True nor False.
    """
    if dilated is not None:
        boolean('dilated', dilated)
    if 'dilated' in options_of(backbone_row(name)):
        return {'dilated': bool(dilated)}
    if dilated:
        raise ValueError(f'{name} has no dilated form: leave out dilated=True, or take a ResNet')
    return {}


def backbone_of(variant: FCNVariant, options: Mapping[str, Any]) -> Tuple[str, Dict[str, Any]]:
    """The name of the backbone that a network with these options has, and the options of the backbone."""
    return chosen_backbone(Segmenter, variant.backbone, options)


def options(variant: FCNVariant) -> List[str]:
    """List the options that ``build`` takes for a row: also those of any backbone and of any attention."""
    return list(dict.fromkeys([*option_names(Segmenter), *known_options()]))
