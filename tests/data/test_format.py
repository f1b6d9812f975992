"""The scan continues after a fault, and finds the same records as MXNet's own reader."""

import struct

import cv2
import mxnet as mx
import numpy as np
import pytest

from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.data.records.format import MAGIC_BYTES, scan
from gluon_cbam.data.records.recordio import RecordFile, RecordWriter, index_path, rebuild_index, salvage_index

COUNT = 12


@pytest.fixture
def path(tmp_path):
    with RecordWriter(tmp_path / 'images.rec') as writer:
        for number in range(COUNT):
            pixels = np.full((8, 8, 3), 20 * number, np.uint8)
            writer.write(number % 5, cv2.imencode('.png', pixels)[1].tobytes())
    return tmp_path / 'images.rec'


def offsets_of(path):
    with open(path, 'rb') as file:
        return [int(offset) for chunk in scan(file.fileno()) for offset in chunk.offsets]


def patch(path, offset, data):
    whole = bytearray(path.read_bytes())
    whole[offset : offset + len(data)] = data
    path.write_bytes(bytes(whole))


@pytest.mark.parametrize('size', [10, 3000, 5000, 100_000])
def test_offsets_equal_mxnets_writer(tmp_path, size):
    """Records that are close together, and far apart: the scan reads in blocks of other sizes."""
    path = tmp_path / 'a.rec'
    writer = mx.recordio.MXIndexedRecordIO(str(index_path(path)), str(path), 'w')
    rng = np.random.RandomState(size)
    sizes = [rng.randint(size // 2, 2 * size) for _ in range(40)]
    for number, length in enumerate(sizes):
        image = rng.bytes(length) + MAGIC_BYTES * (number % 3)
        sizes[number] = len(image)
        writer.write_idx(number, mx.recordio.pack(mx.recordio.IRHeader(0, [1.0, 2.0], 10 * number, 0), image))
    writer.close()
    with open(path, 'rb') as file:
        chunks = list(scan(file.fileno()))
    assert [int(o) for c in chunks for o in c.offsets] == [writer.idx[number] for number in range(40)]
    assert [int(s) for c in chunks for s in c.sizes] == sizes
    assert [int(i) for c in chunks for i in c.ids] == list(range(0, 400, 10))
    assert {float(label) for c in chunks for label in c.labels} == {1.0}
    assert sum(c.stored for c in chunks) == path.stat().st_size


# name -> (function that damages a file, given its offsets; indices of the lost records)
DAMAGE = {
    'wrong magic': (lambda path, at: patch(path, at[7], b'\0'), [7]),
    'wrong magic in the first record': (lambda path, at: patch(path, 0, b'\0'), [0]),
    'wrong magic in the last record': (lambda path, at: patch(path, at[11], b'\0'), [11]),
    'zeros over two records': (lambda path, at: patch(path, at[7], bytes(at[9] - at[7])), [7, 8]),
    'two faults': (lambda path, at: [patch(path, at[n], b'\0') for n in (3, 8)], [3, 8]),
    'huge length': (lambda path, at: patch(path, at[7] + 4, struct.pack('<I', 0x1FFFFFFF)), [7]),
    'longer length': (lambda path, at: patch(path, at[7] + 4, struct.pack('<I', at[8] - at[7])), [7, 8]),
    'continuation': (lambda path, at: patch(path, at[7] + 4, struct.pack('<I', 3 << 29 | 40)), [7]),
    'first of no more': (lambda path, at: patch(path, at[7] + 7, bytes([1 << 5])), [7]),
    'truncated': (lambda path, at: path.write_bytes(path.read_bytes()[: at[10] + 60]), [10, 11]),
}


@pytest.mark.parametrize('name', DAMAGE)
def test_the_records_after_a_fault_are_found(path, name):
    damage, lost = DAMAGE[name]
    at = offsets_of(path)
    images = [RecordFile(path)[number].image for number in range(COUNT)]
    damage(path, at)
    with pytest.raises(DataError, match='images.rec: record'):
        rebuild_index(path)
    done = salvage_index(path)
    assert done.faults
    assert 0 < done.lost < path.stat().st_size
    assert done.records == len(index_path(path).read_text().splitlines())
    reader = mx.recordio.MXIndexedRecordIO(str(index_path(path)), str(path), 'r')
    found = {mx.recordio.unpack(reader.read_idx(key))[1] for key in reader.keys}
    assert set(images) - found == {images[number] for number in lost}


def test_nothing_to_salvage(tmp_path):
    path = tmp_path / 'a.rec'
    for content in (b'', b'this is no record file\n' * 20, np.random.RandomState(0).bytes(4096)):
        path.write_bytes(content)
        with pytest.raises(DataError, match=f'no whole record in {len(content)} bytes'):
            salvage_index(path)
        assert not index_path(path).exists()
    with pytest.raises(UsageError, match='no record file'):
        salvage_index(tmp_path / 'none.rec')


def test_a_magic_that_spans_two_reads(path):
    """The search reads a mebibyte at a time."""
    at = offsets_of(path)
    whole = path.read_bytes()
    for shift in range(-4, 5):
        filling = bytes((1 << 20) + shift - 1)  # the search begins a byte after the fault
        path.write_bytes(whole[: at[5]] + filling + whole[at[5] :])
        assert len(offsets_of(path)) == COUNT
