"""Decoding of the images of a record file."""

from __future__ import annotations

import struct
from typing import List

import numpy as np

from gluon_cbam.common.errors import DataError
from gluon_cbam.data.decoding import Decode, decode

from .recordio import RecordFile


def decode_record(records: RecordFile, number: int, decoder: Decode = decode) -> np.ndarray:
    """Decode the image of a record.

    Args:
        records: the record file.
        number: index of the record, from 0.
        decoder: :func:`gluon_cbam.data.decoding.decode`, perhaps with options.

    Returns:
        (H, W, 3) uint8, RGB.

    Raises:
        DataError: the image cannot be decoded, or the record can no longer be read; the message names the record and
            its offset.
    """
    name = f'{records.path}: record {number} at offset {records.offset(number)}'
    try:
        image = records.image(number)
    except (OSError, ValueError, struct.error) as error:  # the file was changed, or the disk failed
        raise DataError(f'{name}: cannot be read any more ({error})') from error
    return decoder(image, name)


def evenly_spaced(records: RecordFile, count: int) -> List[np.ndarray]:
    """Images of a file, evenly spaced.

    Args:
        records: the checked file.
        count: how many, or all where there are fewer.

    Returns:
        (H, W, 3) uint8, RGB.

    Raises:
        DataError: an image cannot be decoded.
    """
    count = min(count, len(records))
    return [decode_record(records, number * len(records) // count) for number in range(count)]
