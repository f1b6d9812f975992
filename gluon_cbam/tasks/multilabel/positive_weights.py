"""The weights of positives that balance them with the negatives of each class."""

from __future__ import annotations

import numpy as np

from gluon_cbam.common.errors import UsageError
from gluon_cbam.data.records.multi_labels import MultiLabelRecords
from gluon_cbam.tasks.classification.class_weights import BALANCED


def balanced(records: MultiLabelRecords) -> np.ndarray:
    """The images without each class over those with it, as the documentation of PyTorch has it for ``pos_weight``.

    Args:
        records: the training data.

    Returns:
        (K,) float64.

    Raises:
        UsageError: a class is on no image or on all, so that there is nothing to balance.
    """
    positives = (records.labels > 0).sum(axis=0)
    for number in np.flatnonzero((positives == 0) | (positives == len(records)))[:1]:
        where = 'all images' if positives[number] else 'no image'
        raise UsageError(
            f'--class-weights {BALANCED}: class {number} is on {where} of {records.path}: give a FILE with the weights'
        )
    return (len(records) - positives) / positives
