"""The order of the records in an epoch of training."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np

from gluon_cbam.common.errors import DataError


class Order(Protocol):
    """The numbers of the records of an epoch; ``len`` is how many, the same in every epoch."""

    def __len__(self) -> int: ...

    def __call__(self, rng: np.random.Generator) -> np.ndarray:
        """The numbers, (n,) int64, which depend on the generator only."""


class RandomOrder:
    """Every record once.

    Args:
        records: the number of records.
    """

    def __init__(self, records: int) -> None:
        self._records = records

    def __len__(self) -> int:
        return self._records

    def __call__(self, rng: np.random.Generator) -> np.ndarray:
        """See :class:`Order`."""
        # stable, so that the order depends on nothing but the random numbers
        return np.argsort(rng.random(self._records), kind='stable')


class RepeatedOrder:
    """Repeated augmentation (Hoffer et al., "Augment your batch", CVPR 2020): a record several times in a batch.

    As with timm's ``RepeatAugSampler``, an epoch has as many images as there are records, of a part of the records,
    which is another one in each epoch. The images of a record are as far from each other in a batch as they can be, so
    that several devices share them. Those of a record at the end of a batch may continue in the next one.

    Args:
        records: the number of records.
        repeats: how many times a record occurs, augmented anew each time.
        batch_size: images in a batch, over all devices and processes.
    """

    def __init__(self, records: int, repeats: int, batch_size: int) -> None:
        self._random, self._repeats, self._batch_size = RandomOrder(records), repeats, batch_size

    def __len__(self) -> int:
        return len(self._random)

    def __call__(self, rng: np.random.Generator) -> np.ndarray:
        """See :class:`Order`."""
        place = np.arange(len(self))
        repeated = self._random(rng)[place // self._repeats]
        return repeated[np.lexsort((place % self._repeats, place // self._batch_size))]


class IdentityOrder:
    """Groups of pictures of one identity, for losses that compare pictures with each other.

    The pictures of an identity are shuffled and dealt into groups, and the groups of all identities are shuffled.
    Pictures that do not fill a group wait for another epoch; an identity with fewer pictures than a group has one
    group, in which some occur again, and an identity with a single picture has none. A batch of a multiple of a group's
    size has whole groups.

    Args:
        labels: (records,) the identity of each record.
        per_identity: pictures of a group.
        where: path of the records, for messages.

    Raises:
        DataError: no identity has two pictures.
    """

    def __init__(self, labels: np.ndarray, per_identity: int, where: Path) -> None:
        self._labels, self._size = labels.astype(np.int64), per_identity
        pictures = np.bincount(self._labels)
        if pictures.max() < 2:
            raise DataError(
                f'{where}: each of its {np.count_nonzero(pictures)} identities has one picture: pairs of pictures of '
                'one identity need two'
            )
        starts = np.cumsum(pictures) - pictures
        groups = np.where(pictures > 1, np.maximum(pictures // per_identity, 1), 0)
        owner = np.repeat(np.arange(len(pictures)), groups)
        within = np.arange(len(owner)) - np.repeat(np.cumsum(groups) - groups, groups)
        place = within[:, None] * per_identity + np.arange(per_identity)
        # in the records sorted by identity
        self._places = starts[owner][:, None] + place % pictures[owner][:, None]

    def __len__(self) -> int:
        return self._places.size

    def __call__(self, rng: np.random.Generator) -> np.ndarray:
        """See :class:`Order`."""
        of_identities = np.lexsort((rng.random(len(self._labels)), self._labels))
        groups = np.argsort(rng.random(len(self._places)), kind='stable')
        return of_identities[self._places[groups].ravel()]
