"""What a network looks at on image files, batch by batch."""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass
from itertools import islice
from typing import Iterable, Iterator, List, NamedTuple, Optional, Sequence, Tuple, Union

import mxnet as mx
import numpy as np

from gluon_cbam.common.errors import DataError, UsageError, closest
from gluon_cbam.common.parallel import ordered_map
from gluon_cbam.data.sources.images import ImageSource
from gluon_cbam.inference.network import LoadedNetwork
from gluon_cbam.inference.prediction import Guess, class_names

from .maps.attention import AttentionMaps, attention_maps
from .maps.grad_cam import GradCAM, grad_cam
from .maps.grid import Grid
from .maps.stages import choose


class Evidence(NamedTuple):
    """Grad-CAM of one image for one class.

    Attributes:
        heat: (H, W), in 0..1.
        index: of the class.
        label: its name.
        probability: softmax of the logits; None for embeddings.
        predicted: whether it is the predicted class.
        layer: whose map it is.
        grid: of the map.
    """

    heat: np.ndarray
    index: int
    label: str
    probability: Optional[float]
    predicted: bool
    layer: str
    grid: Optional[Grid]


class Gate(NamedTuple):
    """The gates of an attention for one image.

    Attributes:
        path: of the attention.
        channel: (C,), or None.
        spatial: (H, W), or None.
        grid: of the spatial gate.
    """

    path: str
    channel: Optional[np.ndarray]
    spatial: Optional[np.ndarray]
    grid: Optional[Grid]


class Explanation(NamedTuple):
    """What a network looks at on one image.

    Attributes:
        file: the path.
        pixels: (S, S, 3) uint8 RGB: what the network saw, before normalisation.
        top: the most probable classes, best first; none for embeddings.
        evidence: for the predicted class, then for the one asked for if that is another.
        gates: of the chosen attentions.
    """

    file: str
    pixels: np.ndarray
    top: List[Guess]
    evidence: List[Evidence]
    gates: List[Gate]


class Unreadable(NamedTuple):
    """An image that could not be read.

    Attributes:
        file: the path.
        error: why, in one line.
    """

    file: str
    error: str


@dataclass(frozen=True)
class Wanted:
    """What is to be shown.

    Attributes:
        stages: as of :func:`.stages.choose`; () for none.
        targets: the class, as of :func:`class_index`; one for each image in their order; or None.
        method: as of :func:`grad_cam`.
        layer: likewise.
        top: how many classes are named.
    """

    stages: Optional[Sequence[str]] = None
    targets: Union[None, int, Sequence[int]] = None
    method: str = 'gradcam'
    layer: Optional[str] = None
    top: int = 5


def names_of(network: LoadedNetwork) -> List[str]:
    """The names of a network's outputs: of its classes, or of the numbers of an embedding."""
    outputs = getattr(network.net, 'outputs', None)
    return class_names(network) if outputs is None else [f'output {number}' for number in range(outputs)]


def class_index(text: str, network: LoadedNetwork) -> int:
    """The class that a name or a number means; a name comes first.

    Raises:
        UsageError: there is none, or several classes have this name.
    """
    names = names_of(network)
    matches = [index for index, name in enumerate(names) if name == text]
    if len(matches) > 1:
        raise UsageError(f'{network.name} has {len(matches)} classes {text!r}: give the number, one of {matches}')
    if matches:
        return matches[0]
    if text.strip().isdigit() and int(text) < len(names):
        return int(text)
    raise UsageError(f'{network.name} has no class {text!r}: {closest(text, names)} (numbers are 0..{len(names) - 1})')


def explain(
    network: LoadedNetwork,
    pictures: Iterable[ImageSource],
    wanted: Wanted,
    ctx: mx.Context,
    batch_size: int,
    pool: Executor,
) -> Iterator[Union[Explanation, Unreadable]]:
    """What a network looks at on images, in their order. Memory holds a few batches.

    Args:
        network: with weights.
        pictures: as of :func:`.data.images.open_images`.
        wanted: what is to be shown.
        ctx: one of the network's contexts.
        batch_size: images at a time.
        pool: threads that decode, as of :func:`.data.parallel.image_threads`.

    Raises:
        UsageError: an unknown stage, layer or method.
        DataError: the output is not finite.
    """

    def load(picture):
        try:
            seen = network.preprocessing.crop(picture.decode())
        except (DataError, OSError) as error:
            return Unreadable(picture.file, str(error))
        return picture.file, seen

    names, done = names_of(network), 0
    images = ordered_map(pool, load, pictures, 2 * batch_size)
    while True:
        chunk = list(islice(images, batch_size))
        if not chunk:
            return
        places = [index for index, item in enumerate(chunk) if not isinstance(item, Unreadable)]
        good = [chunk[index] for index in places]
        numbers = [done + index for index in places]
        explained = iter(_explained(network, good, numbers, wanted, ctx, names) if good else ())
        yield from (item if isinstance(item, Unreadable) else next(explained) for item in chunk)
        done += len(chunk)


def _explained(network, images, numbers, wanted: Wanted, ctx, names) -> Iterator[Explanation]:
    seen = [pixels for _, pixels in images]
    batch = mx.nd.array(np.stack([network.preprocessing.normalise(pixels) for pixels in seen]), ctx)
    gates = [] if wanted.stages == () else choose(attention_maps(network.net, batch), wanted.stages)
    evidence, probabilities = _evidence(network, batch, numbers, wanted, names)
    for index, (file, pixels) in enumerate(images):
        top = []
        if probabilities is not None:
            best = np.argsort(-probabilities[index], kind='stable')[: wanted.top]
            top = [Guess(int(number), names[number], float(probabilities[index][number])) for number in best]
        yield Explanation(file, pixels, top, evidence[index], [_gate(maps, index) for maps in gates])


def _gate(maps: AttentionMaps, index: int) -> Gate:
    channel, spatial = (None if array is None else array[index] for array in (maps.channel, maps.spatial))
    return Gate(maps.path, channel, spatial, maps.grid)


def _evidence(network, batch, numbers, wanted: Wanted, names) -> Tuple[List[List[Evidence]], Optional[np.ndarray]]:
    """For each image its evidence, and the probabilities (N, classes), None for embeddings."""
    net, options = network.net, dict(layer=wanted.layer, method=wanted.method)
    embeds = hasattr(net, 'outputs')
    targets = wanted.targets
    if isinstance(targets, (list, tuple)):
        targets = [targets[number] for number in numbers]
    runs = [] if embeds else [grad_cam(net, batch, **options)]
    if targets is not None:
        runs.append(grad_cam(net, batch, targets, **options))
    if not runs:
        return [[] for _ in numbers], None
    if not np.isfinite(runs[0].logits).all():
        raise DataError(f'the output of {network.name} is not finite: the weights or the preprocessing are wrong')
    probabilities = None if embeds else _softmax(runs[0].logits)
    return [_of_image(index, runs, probabilities, names) for index in range(len(numbers))], probabilities


def _of_image(index: int, runs: Sequence[GradCAM], probabilities, names) -> List[Evidence]:
    evidence = {}
    for run in runs:
        number = int(run.classes[index])
        probability = None if probabilities is None else float(probabilities[index][number])
        predicted = probabilities is not None and run is runs[0]
        about = number, names[number], probability, predicted
        evidence.setdefault(number, Evidence(run.maps[index], *about, run.layer, run.grid))
    return list(evidence.values())


def _softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)
