"""Grad-CAM of several networks on the same images, as in figure 4 of the CBAM paper."""

from __future__ import annotations

import os
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Callable, Iterator, List, NamedTuple, Optional, Sequence, Tuple, Union

import mxnet as mx

from gluon_cbam.common.errors import UsageError
from gluon_cbam.data.sources.images import image_file
from gluon_cbam.inference.network import LoadedNetwork

from .classes import class_index
from .explanation import ClassActivation, Explanation, UnreadableImage
from .pipeline import ExplainOptions, explain_images


class Contender(NamedTuple):
    """A network of a comparison, with weights.

    Attributes:
        network: its name.
        weights: a parameter file, a run directory or a tag; None for the default weights of the name.
    """

    network: str
    weights: Optional[str]

    @property
    def is_file(self) -> bool:
        """Whether the weights are a path."""
        weights = self.weights or ''
        return bool(weights) and (os.path.exists(weights) or os.sep in weights or weights.endswith('.params'))

    @property
    def label(self) -> str:
        """Human-readable."""
        return f'{self.network} ({Path(self.weights).name})' if self.weights else self.network


class Cell(NamedTuple):
    """The result of a network for an image.

    Attributes:
        explanation: the explanation of the image by the network.
        activation: the class activation map of the image's target class.
        probability: the probability of the target class, in 0..1.
    """

    explanation: Explanation
    activation: ClassActivation
    probability: float


@dataclass(frozen=True)
class Comparison:
    """The result of :func:`compare_networks`.

    Attributes:
        contenders: the networks.
        cells: a row for each image that could be read, a column for each network.
        unreadable: the other images.
    """

    contenders: List[Contender]
    cells: List[List[Cell]]
    unreadable: List[UnreadableImage]


def parse_contenders(texts: Sequence[str]) -> List[Contender]:
    """The networks of a comparison, each ``NAME``, ``NAME=FILE`` or ``NAME=TAG``."""
    return [Contender(name, weights or None) for name, _, weights in (text.partition('=') for text in texts)]


def compare_networks(
    contenders: List[Contender],
    load: Callable[[Contender], Tuple[LoadedNetwork, mx.Context]],
    files: Sequence[str],
    target: Optional[str],
    options: ExplainOptions,
    batch_size: int,
    pool: Executor,
) -> Comparison:
    """Explain the same class of each image by several networks.

    Args:
        contenders: the networks.
        load: returns the network of a contender and the context to use. One network is in memory at a time.
        files: paths of the images.
        target: name or index of a class, or one for each image separated by commas; default the class that the first
            network predicts.
        options: method and layer; the targets are replaced.
        batch_size: images in a batch.
        pool: threads that decode, see :func:`gluon_cbam.data.decoding.image_threads`.

    Raises:
        UsageError: the networks have different numbers of classes, or no classes.
    """
    columns: List[List[Union[Explanation, UnreadableImage]]] = []
    targets: Optional[List[int]] = None
    classes: Optional[int] = None
    for contender in contenders:
        network, ctx = load(contender)
        classes = classes or network.classes
        if hasattr(network.net, 'outputs') or network.classes != classes:
            raise UsageError(f'{contender.label} does not have the {classes} classes of {contenders[0].label}')
        if targets is None and target is not None:
            targets = _targets(target, network, len(files))
        asked = replace(options, targets=targets)
        columns.append(list(explain_images(network, map(image_file, files), asked, ctx, batch_size, pool)))
        if targets is None:
            targets = [item.top[0].index if isinstance(item, Explanation) else 0 for item in columns[0]]
    unreadable = [item for item in columns[0] if isinstance(item, UnreadableImage)]
    return Comparison(contenders, list(_rows(columns)), unreadable)


def _rows(columns: Sequence[Sequence[Union[Explanation, UnreadableImage]]]) -> Iterator[List[Cell]]:
    """The cells of each image that every network could read."""
    for row in zip(*columns):
        cells = [_cell(item) for item in row if isinstance(item, Explanation)]
        if len(cells) == len(row):
            yield cells


def _cell(explanation: Explanation) -> Cell:
    activation = explanation.activations[-1]  # the last one is the target's
    return Cell(explanation, activation, activation.probability or 0.0)  # never None: the networks have classes


def _targets(text: str, network: LoadedNetwork, count: int) -> List[int]:
    """The class of each image."""
    try:
        return [class_index(text, network)] * count
    except UsageError:
        parts = [part.strip() for part in text.split(',')]
        if len(parts) != count or count == 1:
            raise
    return [class_index(part, network) for part in parts]
