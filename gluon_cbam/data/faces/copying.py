"""Copying pictures of sets of faces, with new labels, into a new set."""

from __future__ import annotations

from typing import Sequence

import numpy as np

from .record_sets import FaceRecords, FaceWriter, Progress


def copy_pictures(
    writer: FaceWriter,
    sets: Sequence[FaceRecords],
    labels: Sequence[np.ndarray],
    chosen: Sequence[np.ndarray],
    shuffle: bool,
    seed: int,
    progress: Progress,
) -> None:
    """Copy pictures: in the order of the sets and labels, or in random order over all of them.

    Args:
        writer: the new set.
        sets: the sets.
        labels: (pictures,) of each set, the new label of each picture.
        chosen: numbers of the pictures of each set to copy, increasing.
        shuffle: whether the order is random; it depends only on ``seed``.
        seed: random seed of the order.
        progress: wraps the pictures for a progress bar.
    """
    numbers = np.concatenate(chosen)
    parts = np.repeat(np.arange(len(sets), dtype=np.int32), [len(each) for each in chosen])
    copied = np.concatenate([part[each] for part, each in zip(labels, chosen)])
    order = np.random.RandomState(seed).permutation(len(numbers)) if shuffle else np.argsort(copied, kind='stable')
    for place in progress(order, len(order), 'write'):
        records, number = sets[parts[place]].records, int(numbers[place])
        others = records.labels_of(number)[1:] if records.label_counts[number] > 1 else ()
        writer.write(int(copied[place]), bytes(records.image(number)), others)
