"""Grad-CAM of several networks on the same images, as in figure 4 of the CBAM paper."""

from __future__ import annotations

import os
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Callable, Iterator, List, NamedTuple, Optional, Sequence, Union

from gluon_cbam.common.errors import UsageError
from gluon_cbam.data.class_names import ClassNames
from gluon_cbam.data.sources.images import ImageSource

from .classes import class_index, gives_embeddings
from .explanation import ClassActivation, Explanation, UnreadableImage
from .pipeline import ExplainOptions, explain_images

if TYPE_CHECKING:
    from gluon_cbam.inference.network import LoadedNetwork

    from .network_explainer import NetworkExplainer

COMPARE_FORM = '--compare takes NETWORK=PARAMS,..., where PARAMS is a parameter file, a run folder or a tag'


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
    def text(self) -> str:
        """As it was given."""
        return f'{self.network}={self.weights}' if self.weights else self.network

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


class Chosen(NamedTuple):
    """What chose the class of an image.

    Attributes:
        kind: ``request``, ``label`` for its true class, or ``prediction`` of the first network.
        words: human-readable.
    """

    kind: str
    words: str


@dataclass(frozen=True)
class Comparison:
    """The result of :func:`compare_networks`.

    Attributes:
        contenders: the networks.
        cells: a row for each image that could be read, a column for each network.
        unreadable: the other images.
        requested: whether the classes were requested.
    """

    contenders: List[Contender]
    cells: List[List[Cell]]
    unreadable: List[UnreadableImage]
    requested: bool = False

    def chosen_by(self, row: Sequence[Cell]) -> Chosen:
        """What chose the class of an image, by its cells."""
        if self.requested:
            return Chosen('request', 'class')
        if row[0].explanation.true_class is not None:
            return Chosen('label', 'true class')
        return Chosen('prediction', f'predicted by {self.contenders[0].label}')


def parse_contenders(texts: Sequence[str]) -> List[Contender]:
    """The networks of a comparison, each ``NAME``, ``NAME=FILE`` or ``NAME=TAG``.

    Raises:
        UsageError: a text has another form.
    """
    contenders = []
    for text in texts:
        name, equals, weights = text.partition('=')
        if not name or (equals and not weights):
            raise UsageError(f'{COMPARE_FORM}, got {text!r}')
        contenders.append(Contender(name, weights or None))
    if not contenders:
        raise UsageError(f'{COMPARE_FORM}, got none')
    return contenders


def compare_networks(
    contenders: List[Contender],
    load: Callable[[Contender], NetworkExplainer],
    images: Sequence[ImageSource],
    target: Optional[str],
    options: ExplainOptions,
    batch_size: int,
    pool: Executor,
    ignore_classes: bool = False,
) -> Comparison:
    """Explain the same class of each image by several networks.

    Args:
        contenders: the networks.
        load: returns the explainer of a contender. One network is in memory at a time.
        images: the images; each is decoded once for each network.
        target: name or index of a class, or one for each image separated by commas; default the true class where it is
            known, else the class that the first network predicts.
        options: which maps are computed; the targets are replaced.
        batch_size: images in a batch.
        pool: threads that decode, see :func:`gluon_cbam.data.decoding.image_threads`.
        ignore_classes: do not compare the names of the networks' classes.

    Raises:
        UsageError: the networks have different numbers of classes, or no classes.
        DataError: their classes have different names, or another order.
    """
    columns: List[List[Union[Explanation, UnreadableImage]]] = []
    targets: Optional[List[int]] = None
    classes: Optional[int] = None
    named: Optional[ClassNames] = None
    for contender in contenders:
        explainer = load(contender)
        network = explainer.explained
        classes = classes or network.classes
        if gives_embeddings(network) or network.classes != classes:
            raise UsageError(f'{contender.label} does not have the {classes} classes of {contenders[0].label}')
        named = named or network.named_classes
        network.task.compare_classes(named, network.named_classes, ignore_classes)
        if targets is None and target is not None:
            targets = _targets(target, network, len(images))
        asked = replace(options, targets=targets)
        columns.append(list(explain_images(explainer, images, asked, batch_size, pool)))
        if targets is None:
            targets = [_chosen(item) for item in columns[0]]
    unreadable = [item for item in columns[0] if isinstance(item, UnreadableImage)]
    return Comparison(contenders, list(_rows(columns)), unreadable, target is not None)


def _chosen(item: Union[Explanation, UnreadableImage]) -> int:
    """The class of an image for the other networks: its true class if that is known, else the predicted one."""
    if isinstance(item, UnreadableImage):
        return 0  # it has no cells
    return item.top[0].index if item.true_class is None else item.true_class


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
