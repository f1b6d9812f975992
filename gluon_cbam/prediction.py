"""The classes of image files."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Iterator, List, NamedTuple, Sequence, Tuple

import mxnet as mx
import numpy as np

from .data.parallel import ordered_map
from .data.preprocessing import decode
from .errors import DataError, UsageError
from .inference import LoadedNetwork


class Guess(NamedTuple):
    """One class of an image.

    Attributes:
        index: of the class.
        label: its name, or the index as text.
        probability: softmax of the logits.
    """

    index: int
    label: str
    probability: float


def predict(
    network: LoadedNetwork, files: Sequence[str], top: int, ctx: mx.Context, batch_size: int, workers: int
) -> Iterator[Tuple[str, List[Guess]]]:
    """The ``top`` classes of every file, the most probable first.

    Args:
        network: with weights.
        files: paths of images.
        top: how many classes; all where there are fewer.
        ctx: one of the network's contexts.
        batch_size: images at a time.
        workers: threads that decode.

    Raises:
        UsageError: a file is not there.
        DataError: a file cannot be decoded.
    """
    for file in files:
        if not Path(file).is_file():
            raise UsageError(f'no image file {file!r}')

    def load(file: str) -> np.ndarray:
        return network.preprocessing(decode(Path(file).read_bytes(), file))

    names = class_names(network)
    with ThreadPoolExecutor(workers) as pool:
        images = ordered_map(pool, load, files, 2 * batch_size)
        for start in range(0, len(files), batch_size):
            chunk = np.stack(list(islice(images, batch_size)))
            probabilities = network.net(mx.nd.array(chunk, ctx=ctx)).softmax().asnumpy()
            if not np.isfinite(probabilities).all():
                raise DataError(
                    f'the output of {network.name} is not finite: the weights or the preprocessing are wrong'
                )
            for file, row in zip(files[start:], probabilities):
                best = np.argsort(-row, kind='stable')[:top]
                yield file, [Guess(int(index), names[index], float(row[index])) for index in best]


def class_names(network: LoadedNetwork) -> List[str]:
    """The names of a network's classes: of its weights, else ImageNet's for 1000 classes, else the numbers."""
    if network.class_names and len(network.class_names) == network.classes:
        return list(network.class_names)
    if network.classes == 1000:
        from gluoncv.data.imagenet.classification import ImageNet1kAttr

        return list(ImageNet1kAttr().classes)
    return [str(index) for index in range(network.classes)]
