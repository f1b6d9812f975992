"""The figures of training of each kind of detectors: the terms of its loss, and how much there is to learn from."""

from __future__ import annotations

from typing import Dict, Optional, Tuple

from gluon_cbam.models.variants import VARIANTS
from gluon_cbam.tasks.figures import Figure


def term(name: str, label: str, text: str) -> Figure:
    """The figure of a term of the loss."""
    return Figure(f'{name}_loss', label, f'{text} of the loss', higher_is_better=False)


def positives(what: str) -> Figure:
    """The figure of the number of positive examples of an image."""
    return Figure('positives', 'positives', f'positive {what} of an image', higher_is_better=True, digits=1)


LOSS = Figure('loss', 'loss', 'loss', higher_is_better=False, unit='sum of its terms')

_OF_RCNN = (
    term('region_class', 'rpn class', 'class term of the proposals'),
    term('region_box', 'rpn box', 'box term of the proposals'),
    term('class', 'class', 'class term'),
    term('box', 'box', 'box term'),
)
TERMS: Dict[str, Tuple[Figure, ...]] = {
    'ssd': (term('class', 'class', 'class term'), term('box', 'box', 'box term'), positives('anchors')),
    'faster_rcnn': (*_OF_RCNN, positives('RoIs')),
    'mask_rcnn': (*_OF_RCNN, term('mask', 'mask', 'mask term'), positives('RoIs')),
    'centernet': (
        term('heatmap', 'heatmap', 'heat map term'),
        term('size', 'size', 'size term'),
        term('offset', 'offset', 'offset term'),
        positives('objects'),
    ),
    'yolo3': (
        term('object', 'object', 'object term'),
        term('center', 'center', 'center term'),
        term('size', 'size', 'size term'),
        term('class', 'class', 'class term'),
        positives('anchors'),
    ),
}
"""``kind`` of a detector -> the terms of its :class:`.losses.criterion.Criterion`, in order, and the positives."""
WITH_MASKS = ('mask_rcnn',)
"""The kinds of detectors that find masks, and are trained with them."""
_DEFAULT = 'ssd'  # for a run whose network is not known yet


def kind_of(network: Optional[str]) -> str:
    """The kind of a detector, which says how it is trained.

    Args:
        network: the name of a network.
    """
    return getattr(VARIANTS.get(network or ''), 'kind', _DEFAULT)
