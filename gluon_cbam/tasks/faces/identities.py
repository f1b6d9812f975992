"""Identities of training data: how many pictures each has."""

from __future__ import annotations

import numpy as np

from gluon_cbam.common.errors import UsageError
from gluon_cbam.data.records.recordio import RecordFile


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
