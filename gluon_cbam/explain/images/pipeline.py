"""Explanation of image files, batch by batch."""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Dict, Iterable, Iterator, List, NamedTuple, Optional, Sequence, Tuple, Union

import numpy as np

from gluon_cbam.common.errors import DataError
from gluon_cbam.common.parallel import ordered_map
from gluon_cbam.data.sources.images import ImageSource
from gluon_cbam.explain.maps.class_maps import ClassMaps
from gluon_cbam.explain.maps.stages import select_stages
from gluon_cbam.tasks.classification.prediction import ClassScore

from .classes import gives_embeddings, output_names, true_class
from .explainer import BatchMaps, Explained, Explainer
from .explanation import AttentionGates, ClassActivation, Explanation, UnreadableImage

if TYPE_CHECKING:
    from gluon_cbam.explain.maps.attention import AttentionMaps


@dataclass(frozen=True)
class ExplainOptions:
    """Which maps of an image are computed.

    Attributes:
        stages: attention modules, see :func:`gluon_cbam.explain.maps.stages.select_stages`; () for none.
        targets: index of the requested class, one for all images or one for each in their order; default None, the
            true class where it is known.
        top: number of most probable classes in an explanation.
    """

    stages: Optional[Sequence[str]] = None
    targets: Union[None, int, Sequence[int]] = None
    top: int = 5


class _Image(NamedTuple):
    """An image that was read: its source, and the network's input before normalization."""

    source: ImageSource
    pixels: np.ndarray


def explain_images(
    explainer: Explainer,
    images: Iterable[ImageSource],
    options: ExplainOptions,
    batch_size: int,
    pool: Executor,
) -> Iterator[Union[Explanation, UnreadableImage]]:
    """Explain images, in their order. Memory holds a few batches, however many images there are.

    Args:
        explainer: computes the maps of a network with weights, or of an exported file.
        images: see :func:`gluon_cbam.data.sources.images.open_images`; read as they are needed.
        options: which maps are computed.
        batch_size: images in a batch.
        pool: threads that decode, see :func:`gluon_cbam.data.decoding.image_threads`.

    Yields:
        An entry for each image.

    Raises:
        UsageError: an unknown stage, layer or method.
        DataError: an output of the network is not finite.
    """
    network, preprocessing = explainer.explained, explainer.explained.preprocessing

    def load(image: ImageSource) -> Union[_Image, UnreadableImage]:
        try:
            return _Image(image, preprocessing.seen(preprocessing.crop(image.decode())))
        except (DataError, OSError) as error:
            fault = getattr(error, 'strerror', None)
            return UnreadableImage(image.file, f'{image.file}: {fault}' if fault else str(error), image.number)

    names, done = output_names(network), 0
    loaded = ordered_map(pool, load, images, 2 * batch_size)
    while True:
        chunk = list(islice(loaded, batch_size))
        if not chunk:
            return
        readable = {done + index: item for index, item in enumerate(chunk) if isinstance(item, _Image)}
        explanations = _explain_batch(explainer, readable, options, names) if readable else iter(())
        for item in chunk:
            yield item if isinstance(item, UnreadableImage) else next(explanations)
        done += len(chunk)


def _explain_batch(
    explainer: Explainer, images: Dict[int, _Image], options: ExplainOptions, names: Sequence[str]
) -> Iterator[Explanation]:
    """Yield the explanations of a batch, whose images are given by their numbers among all images."""
    network, batch = explainer.explained, explainer.batch([image.pixels for image in images.values()])
    gates = [] if options.stages == () else select_stages(batch.gates(), options.stages)
    known = [true_class(image.source.labels, network) for image in images.values()]
    targets = known if options.targets is None else _requested(options.targets, list(images))
    activations, probabilities = _activations(network, batch, targets, names)
    for index, ((file, number, *_), pixels) in enumerate(images.values()):
        top = [] if probabilities is None else _top_classes(probabilities[index], names, options.top)
        gated = [gates_of(maps, index) for maps in gates]
        yield Explanation(file, number, known[index], pixels, top, activations[index], gated)


def _requested(targets: Union[int, Sequence[int]], numbers: Sequence[int]) -> List[Optional[int]]:
    """The requested class of each image of a batch, whose numbers among all images are given."""
    return [targets if isinstance(targets, int) else targets[number] for number in numbers]


def _top_classes(probabilities: np.ndarray, names: Sequence[str], count: int) -> List[ClassScore]:
    """The most probable classes of an image, best first."""
    best = np.argsort(-probabilities, kind='stable')[:count]
    return [ClassScore(int(number), names[number], float(probabilities[number])) for number in best]


def gates_of(maps: AttentionMaps, index: int) -> AttentionGates:
    """The gates of a module for one image of a batch."""
    channel, spatial = (None if array is None else array[index] for array in (maps.channel, maps.spatial))
    return AttentionGates(maps.path, channel, spatial, maps.grid)


def _activations(
    network: Explained, batch: BatchMaps, targets: Sequence[Optional[int]], names: Sequence[str]
) -> Tuple[List[List[ClassActivation]], Optional[np.ndarray]]:
    """The class activation maps of each image, and the probabilities (N, classes), which are None for embeddings.

    A target of None is the predicted class alone.
    """
    embeds = gives_embeddings(network)
    runs = [] if embeds else [batch.class_maps(None)]
    predicted: List[Optional[int]] = [*map(int, runs[0].classes)] if runs else [None] * len(targets)
    wanted = [number if target is None else target for target, number in zip(targets, predicted)]
    given = [number for number in wanted if number is not None]
    if wanted != predicted and len(given) == len(wanted):
        runs.append(batch.class_maps(given))
    if not runs:
        return [[] for _ in targets], None
    if not np.isfinite(runs[0].logits).all():
        raise DataError(f'the output of {network.name} is not finite: the weights or the preprocessing are wrong')
    probabilities = None if embeds else _softmax(runs[0].logits)
    return [_of_image(index, runs, probabilities, names) for index in range(len(targets))], probabilities


def _of_image(
    index: int, runs: Sequence[ClassMaps], probabilities: Optional[np.ndarray], names: Sequence[str]
) -> List[ClassActivation]:
    """The class activation maps of one image, one for each class."""
    activations: Dict[int, ClassActivation] = {}
    for run in runs:
        number = int(run.classes[index])
        probability = None if probabilities is None else float(probabilities[index][number])
        predicted = probabilities is not None and run is runs[0]
        found = ClassActivation(run.maps[index], number, names[number], probability, predicted, run.layer, run.grid)
        activations.setdefault(number, found)
    return list(activations.values())


def _softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)
