"""Masks are read as they were written, by record; damaged archives are errors."""

import numpy as np
import pytest
import records

from gluon_cbam.common.errors import DataError
from gluon_cbam.data.datasets.masks import MaskFile, masks_path, write_masks
from gluon_cbam.data.records.recordio import RecordFile

MASKS = np.random.RandomState(0).rand(6, 5, 7) < 0.5


@pytest.fixture
def file(tmp_path):
    return records.write(tmp_path / 'some.rec', records.numbered_images(6))


def test_round_trip_by_id(file, tmp_path):
    order = [4, 0, 5, 1, 3, 2]
    write_masks(masks_path(file.path), order, MASKS[order])
    assert masks_path(file.path) == tmp_path / 'some.masks.npz'
    masks = MaskFile(file)
    assert (len(masks), masks.size) == (6, (5, 7))
    assert all(np.array_equal(masks[number], MASKS[number]) for number in range(6))
    first = masks_path(file.path).read_bytes()
    write_masks(tmp_path / 'other.npz', order, MASKS[order])
    assert (tmp_path / 'other.npz').read_bytes() == first
    assert np.array_equal(MaskFile(file, tmp_path / 'other.npz')[2], MASKS[2])


def test_archive_is_as_documented(file):
    write_masks(masks_path(file.path), range(6), MASKS)
    with np.load(masks_path(file.path)) as archive:
        assert archive['bits'].shape == (6, 5)
        first = int(''.join('01'[int(value)] for value in MASKS[3].ravel()[:8]), 2)
        assert archive['bits'][3, 0] == first
        assert archive['size'].tolist() == [5, 7]


def test_errors(file):
    path = masks_path(file.path)
    with pytest.raises(DataError, match="no masks .*some.masks.npz': 'cbam data shapes' writes them"):
        MaskFile(file)
    write_masks(path, range(5), MASKS[:5])
    with pytest.raises(DataError, match='has no mask for 1 of the 6 records .* first with id 5'):
        MaskFile(file)
    write_masks(path, range(6), MASKS)
    whole = path.read_bytes()
    for damaged in (whole[: len(whole) // 2], b'text', b'', whole[:200] + b'xxxx' + whole[204:]):
        path.write_bytes(damaged)
        with pytest.raises(DataError, match='not an archive of masks'):
            MaskFile(file)
    for wrong in (
        {'ids': np.arange(6), 'size': np.int64([5, 7])},
        {'ids': np.arange(6), 'size': np.int64([5, 8]), 'bits': np.zeros((6, 4), np.uint8)},
        {'ids': np.zeros(6, int), 'size': np.int64([5, 7]), 'bits': np.zeros((6, 5), np.uint8)},
        {'ids': np.array([{}] * 6), 'size': np.int64([5, 7]), 'bits': np.zeros((6, 5), np.uint8)},
    ):
        np.savez(path, **wrong)
        with pytest.raises(DataError, match='not an archive of masks'):
            MaskFile(RecordFile(file.path))
