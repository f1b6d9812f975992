"""Random orders of the images of a source, and its division into training, validation and test images."""

from __future__ import annotations

from typing import Dict, Mapping, Sequence, Union

import numpy as np

from gluon_cbam.common.errors import UsageError
from gluon_cbam.data.sources.parts import Part

Order = Union[Sequence[int], np.ndarray]


def split_ratios(val_ratio: float, test_ratio: float, source: object, parts: int, layout: str) -> Dict[str, float]:
    """Check the shares of validation and test images.

    Args:
        val_ratio: share of each class for validation, 0..1.
        test_ratio: share of each class for tests, 0..1.
        source: path of the source, for messages.
        parts: number of splits that it has.
        layout: name of its layout, for messages.

    Returns:
        Split -> its share, without shares of 0.

    Raises:
        UsageError: they leave nothing for training, or the source is split already.
    """
    if not (val_ratio >= 0 and test_ratio >= 0 and val_ratio + test_ratio < 1):
        raise UsageError(
            f'--val-ratio {val_ratio:g} and --test-ratio {test_ratio:g} must be shares in 0..1 with a sum below 1'
        )
    ratios = {name: ratio for name, ratio in (('val', val_ratio), ('test', test_ratio)) if ratio}
    if ratios and parts > 1:
        raise UsageError(f'{source} is split already ({layout}): leave out --val-ratio and --test-ratio')
    return ratios


def split_by_class(part: Part, ratios: Mapping[str, float], random: np.random.RandomState) -> Dict[str, np.ndarray]:
    """Divide the images of a part at random; each class, by the first label, is divided by the same ratios.

    Args:
        part: the images.
        ratios: split -> share of each class, 0..1, rounded to whole images; a class keeps at least one for training.
        random: generator of random numbers; equal generators give equal splits.

    Returns:
        Split, the training split first -> sorted indices of its images; without ratios, the part itself.

    Raises:
        UsageError: a split would be empty.
    """
    if not ratios:
        return {part.name: np.arange(len(part))}
    where = np.zeros(len(part), np.int8)
    labels = np.fromiter((row[0] for row in part.labels), np.float32, len(part))
    by_class = np.argsort(labels, kind='stable')
    for members in np.split(by_class, np.flatnonzero(np.diff(labels[by_class])) + 1):
        shuffled, begin = random.permutation(members), 0
        for number, ratio in enumerate(ratios.values(), 1):
            count = min(int(round(len(members) * ratio)), len(members) - 1 - begin)
            where[shuffled[begin : begin + count]] = number
            begin += count
    chosen = {name: np.flatnonzero(where == number) for number, name in enumerate(['train', *ratios])}
    empty = next((name for name, indices in chosen.items() if not len(indices)), None)
    if empty:
        raise UsageError(f'{len(part)} images, split by these ratios, leave none for {empty}')
    return chosen


def split_by_image(count: int, ratios: Mapping[str, float], random: np.random.RandomState) -> Dict[str, np.ndarray]:
    """Divide images at random, whatever their labels.

    Args:
        count: number of images.
        ratios: split -> share, 0..1, rounded to whole images, at least one.
        random: generator of random numbers; equal generators give equal splits.

    Returns:
        Split, the training split first -> sorted indices of its images.

    Raises:
        UsageError: a split would be empty.
    """
    sizes = [max(1, int(round(count * ratio))) for ratio in ratios.values()]
    if sum(sizes) >= count:
        raise UsageError(f'{count} images, split by these ratios, leave none for train')
    bounds = np.cumsum([0, *sizes, count - sum(sizes)])
    order = random.permutation(count)
    chosen = {name: np.sort(order[bounds[at] : bounds[at + 1]]) for at, name in enumerate([*ratios, 'train'])}
    return {name: chosen[name] for name in ('train', *ratios)}
