"""The classes over which a step of Partial FC takes the softmax (An et al., arXiv:2010.05222).

As in ``recognition/arcface_torch/partial_fc.py`` of deepinsight/insightface, each shard takes all of its classes that
are in the batch, and fills up with others, drawn without repetition.
"""

from __future__ import annotations

from typing import Sequence

import numpy as np


def sample_size(classes: int, rate: float, examples: int) -> int:
    """The number of classes that a shard takes in every step, so that graphs keep their shapes.

    Args:
        classes: classes of the shard.
        rate: the sample rate, above 0 and at most 1.
        examples: examples of a batch over all devices and processes: all of their classes may be in one shard.

    Returns:
        The share of the classes, but at least as many as a batch may need, and at most all of them. The source takes
        a larger sample only in the steps that need it.
    """
    return min(classes, max(int(rate * classes), examples))


def sample_classes(classes: int, count: int, positives: np.ndarray, entropy: Sequence[int]) -> np.ndarray:
    """Choose the classes of a shard for a step.

    Args:
        classes: classes of the shard.
        count: how many to take, at least as many as there are different positives.
        positives: the classes of the shard, from 0, that are in the batch; repetitions are allowed.
        entropy: what the choice depends on: seed, step, index of the batch, shard.

    Returns:
        (count,) int64, ascending and without repetition.
    """
    if count >= classes:
        return np.arange(classes)
    keys = np.random.Generator(np.random.PCG64(np.random.SeedSequence(list(entropy)))).random(classes)
    keys[positives] = 2
    return np.sort(np.argpartition(keys, classes - count)[classes - count :])
