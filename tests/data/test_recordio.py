"""The RecordIO format compared with MXNet's reader and writer, and every kind of structural damage."""

import struct

import cv2
import mxnet as mx
import numpy as np
import pytest

from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.data.records.recordio import MAGIC, RecordFile, RecordWriter, index_path, rebuild_index

MAGIC_BYTES = struct.pack('<I', MAGIC)
COUNT = 12


def payloads():
    """Payloads of many lengths, with the magic at offsets where a writer must split, and where it must not."""
    rng = np.random.RandomState(0)
    plain = [rng.bytes(length) for length in range(9)]
    tricky = [
        MAGIC_BYTES,
        b'abcd' + MAGIC_BYTES + b'xy',
        MAGIC_BYTES * 2 + b'q',
        b'ab' + MAGIC_BYTES + b'zz' + MAGIC_BYTES,
    ]
    return plain + tricky


def labels_of(number):
    return [float(number), 2.5, 3.0] if number % 3 == 0 else float(number)


@pytest.fixture
def images(tmp_path):
    """A file of 12 small images, label = number % 5."""
    path = tmp_path / 'images.rec'
    with RecordWriter(path) as writer:
        for number in range(COUNT):
            pixels = np.full((8, 8, 3), 20 * number, np.uint8)
            writer.write(number % 5, cv2.imencode('.png', pixels)[1].tobytes())
    return path


def test_writes_the_same_bytes_as_mxnet(tmp_path):
    ours, theirs = tmp_path / 'ours.rec', tmp_path / 'theirs.rec'
    record = mx.recordio.MXIndexedRecordIO(str(index_path(theirs)), str(theirs), 'w')
    with RecordWriter(ours) as writer:
        for number, payload in enumerate(payloads()):
            writer.write(labels_of(number), payload)
            record.write_idx(number, mx.recordio.pack(mx.recordio.IRHeader(0, labels_of(number), number, 0), payload))
    record.close()
    assert ours.read_bytes() == theirs.read_bytes()
    assert index_path(ours).read_bytes() == index_path(theirs).read_bytes()


def test_reads_what_was_written(tmp_path):
    path = tmp_path / 'a.rec'
    with RecordWriter(path) as writer:
        for number, payload in enumerate(payloads()):
            writer.write(labels_of(number), payload)
    records = RecordFile(path)
    assert len(records) == len(payloads())
    assert records.labels.tolist() == list(range(len(payloads())))
    for number, payload in enumerate(payloads()):
        assert records[number].image == bytes(records.image(number)) == payload
        assert records[number].id == number
        assert records[number].labels.tolist() == np.atleast_1d(labels_of(number)).tolist()


def test_beginnings_of_images(tmp_path):
    path = tmp_path / 'a.rec'
    labels = [3.0, [1.0, 2.0], [5.0] * 9]
    with RecordWriter(path) as writer:
        for payload in payloads():
            for label in labels:
                writer.write(label, payload)
    records = RecordFile(path)
    for number in range(len(records)):
        for length in (0, 1, 5, 100):
            assert records.image_begin(number, length) == records[number].image[:length]


def cut(path, end):
    path.write_bytes(path.read_bytes()[:end])


def patch(path, offset, data):
    whole = bytearray(path.read_bytes())
    whole[offset : offset + len(data)] = data
    path.write_bytes(bytes(whole))


# name -> (function that damages a file, given its path and the offset of record 7; index of the named record)
DAMAGE = {
    'cut in a payload': (lambda path, at: cut(path, at + 60), 7),
    'cut in a header': (lambda path, at: cut(path, at + 20), 7),
    'cut in the first word': (lambda path, at: cut(path, at + 6), 7),
    'a byte too many': (lambda path, at: path.write_bytes(path.read_bytes() + b'x'), COUNT),
    'wrong magic': (lambda path, at: patch(path, at, b'\0'), 7),
    'wrong magic in the first record': (lambda path, at: patch(path, 0, b'\0'), 0),
    'zeros': (lambda path, at: patch(path, at, bytes(64)), 7),
    'huge length': (lambda path, at: patch(path, at + 4, struct.pack('<I', 0x1FFFFFFF)), 7),
    'shorter length': (lambda path, at: patch(path, at + 4, struct.pack('<I', 40)), 8),
    'continuation without a beginning': (lambda path, at: patch(path, at + 4, struct.pack('<I', 3 << 29 | 40)), 7),
    'no room for a header': (lambda path, at: patch(path, at + 4, struct.pack('<I', 8)), 7),
    'many labels': (lambda path, at: patch(path, at + 8, struct.pack('<I', 2**31)), 7),
    'random bytes': (lambda path, at: path.write_bytes(np.random.RandomState(0).bytes(4096)), 0),
    'text': (lambda path, at: path.write_text('this is no record file\n' * 20), 0),
}


@pytest.mark.parametrize('name', DAMAGE)
def test_damage_is_named(images, name):
    damage, number = DAMAGE[name]
    offset = RecordFile(images).offset(7)
    damage(images, offset)
    with pytest.raises(DataError, match=rf'images.rec: record {number} at offset \d+: ') as caught:
        RecordFile(images)
    assert '\n' not in str(caught.value)
    if number == 7:
        assert f'offset {offset}:' in str(caught.value)


def test_missing_and_empty_files(tmp_path):
    with pytest.raises(UsageError, match='no record file'):
        RecordFile(tmp_path / 'none.rec')
    (tmp_path / 'empty.rec').touch()
    with pytest.raises(DataError, match='the file is empty'):
        RecordFile(tmp_path / 'empty.rec')


INDEX_DAMAGE = {
    'missing': lambda lines: None,
    'empty': lambda lines: [],
    'short': lambda lines: lines[:-1],
    'garbage': lambda lines: ['hello', *lines[1:]],
    'beyond the end': lambda lines: [*lines[:-1], '11\t99999999'],
    'wrong offset': lambda lines: ['0\t4', *lines[1:]],
    'a record twice': lambda lines: [*lines[:-1], '11\t' + lines[0].split('\t')[1]],
    'a key twice': lambda lines: [*lines[:-1], '0\t' + lines[-1].split('\t')[1]],
}


@pytest.mark.parametrize('name', INDEX_DAMAGE)
def test_index_damage_is_found_and_repaired(images, name):
    index = index_path(images)
    good = index.read_text()
    lines = INDEX_DAMAGE[name](good.splitlines())
    if lines is None:
        index.unlink()
    else:
        index.write_text(''.join(f'{line}\n' for line in lines))
    with pytest.raises(DataError, match="images.idx.*rebuild it with 'cbam data index"):
        RecordFile(images)
    assert rebuild_index(images) == COUNT
    assert index.read_text() == good


def test_labels_must_be_classes(images):
    RecordFile(images).check_labels(5)
    with pytest.raises(DataError, match=r'record 4 at offset \d+ has label 4, not a class in 0\.\.3 \(2 of 12'):
        RecordFile(images).check_labels(4)
    offset = RecordFile(images).offset(3)
    for label in (float('nan'), -1.0, 0.5):
        patch(images, offset + 12, struct.pack('<f', label))
        with pytest.raises(DataError, match=f'record 3 at offset {offset} has label'):
            RecordFile(images).check_labels(5)


def test_a_failed_write_leaves_the_old_file(images):
    before = images.read_bytes(), index_path(images).read_bytes()
    with pytest.raises(RuntimeError), RecordWriter(images) as writer:
        writer.write(0, b'half of a file')
        raise RuntimeError('disk on fire')
    assert (images.read_bytes(), index_path(images).read_bytes()) == before
    assert sorted(path.name for path in images.parent.iterdir()) == ['images.idx', 'images.rec']


def test_reading_from_threads(images):
    """MXNet's own reader shares one file position: two threads read each other's labels."""
    from concurrent.futures import ThreadPoolExecutor

    records = RecordFile(images)
    expected = [records[number].image for number in range(COUNT)]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(20):
            assert list(pool.map(lambda number: records[number].image, range(COUNT))) == expected


def test_a_truncated_file_crashes_mxnet(images, python):
    """The reason for scanning the headers first: MXNet crashes the process, which no except clause catches."""
    cut(images, RecordFile(images).offset(7) + 60)
    code = (
        'import gluon_cbam, mxnet as mx\n'
        f'it = mx.io.ImageRecordIter(path_imgrec={str(images)!r}, data_shape=(3, 8, 8), batch_size=4, verbose=False)\n'
        'try:\n    [batch for batch in it]\nexcept BaseException:\n    pass\nprint("alive")'
    )
    process = python(code)
    assert process.returncode != 0
    assert 'alive' not in process.stdout
