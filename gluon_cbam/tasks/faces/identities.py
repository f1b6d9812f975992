"""Identities of training data: those with enough pictures, and batches with several pictures of each."""

from __future__ import annotations

from typing import Optional

import numpy as np

from gluon_cbam.common.errors import UsageError
from gluon_cbam.data.loading.order import IdentityOrder, Order
from gluon_cbam.data.records.recordio import RecordFile
from gluon_cbam.tasks.image_augmentation import repeated_order
from gluon_cbam.tasks.protocols import Settings

from .settings import TRIPLETS


def with_pictures(records: RecordFile, least: int) -> RecordFile:
    """The records of identities with enough pictures; labels stay as they are (``images_filter`` of insightface).

    Args:
        records: the file; its labels are identities.
        least: the smallest number of pictures of an identity.

    Returns:
        Records of the same file.

    Raises:
        UsageError: no identity has so many.
    """
    labels = records.labels.astype(np.int64)
    pictures = np.bincount(labels)
    chosen = pictures[labels] >= least
    if not chosen.any():
        raise UsageError(
            f'--images-filter {least}: no identity of {records.path} has more than {pictures.max()} pictures'
        )
    return records.chosen(chosen)


def order_of(settings: Settings, records: RecordFile, batch_size: int) -> Optional[Order]:
    """The order of the records of a run: groups of pictures of an identity where the loss compares pictures.

    Args:
        settings: the settings of the run.
        records: the training data; labels are identities.
        batch_size: pictures in a batch, over all devices and processes.

    Returns:
        The order; None where each picture occurs once, in any order.

    Raises:
        UsageError: the batch of a device does not hold several whole groups, or pictures of groups are repeated.
        DataError: no identity has two pictures.
    """
    if settings['head'] not in TRIPLETS:
        return repeated_order(settings, records, batch_size)
    if settings['aug_repeats'] > 1:
        raise UsageError(
            f'--aug-repeats {settings["aug_repeats"]}: batches of --head {settings["head"]} have '
            '--images-per-identity pictures of each identity: leave it out'
        )
    size, batch = settings['images_per_identity'], settings['batch_size']
    if batch % size or batch < 2 * size:
        raise UsageError(
            f'--batch-size {batch} is not {size} pictures of at least two identities (--images-per-identity): '
            f'give {max(2, batch // size) * size}'
        )
    return IdentityOrder(records.labels, size, records.path)
