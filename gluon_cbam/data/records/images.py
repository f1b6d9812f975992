"""Decoding of the images of a record file."""

from __future__ import annotations

import struct
from typing import List, Tuple, Union

import numpy as np

from gluon_cbam.common.errors import DataError
from gluon_cbam.data.decoding import Decode, EncodedImage, SmallImage, decode

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
    return decoder(*_read(records, number))


def open_record(records: RecordFile, number: int) -> Union[EncodedImage, SmallImage]:
    """Read the image of a record, to decode it later; a small one is read and decoded once in the life of ``records``.

    Args:
        records: the record file.
        number: index of the record, from 0.

    Returns:
        The image, whose errors name the record and its offset.

    Raises:
        DataError: the header of the image is damaged, or the record can no longer be read.
    """
    kept = records.small_images.get(number)
    return kept or records.small_images.kept(number, EncodedImage(*_read(records, number)))


def _read(records: RecordFile, number: int) -> Tuple[memoryview, str]:
    """The encoded image of a record, and its name in messages."""
    name = f'{records.path}: record {number} at offset {records.offset(number)}'
    try:
        return records.image(number), name
    except (OSError, ValueError, struct.error) as error:  # the file was changed, or the disk failed
        raise DataError(f'{name}: cannot be read any more ({error})') from error


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
