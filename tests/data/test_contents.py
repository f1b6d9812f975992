"""The hash of contents finds pictures that are exchanged in place, in small files and in large ones."""

import hashlib

import numpy as np
import pytest
from records import write_faces

from gluon_cbam.data.records import contents
from gluon_cbam.data.records.contents import contents_hash
from gluon_cbam.data.records.recordio import RecordFile, RecordWriter

SIZES = (100, 5000, 5000, 1500, 2016, 2017, 40_000)


@pytest.fixture(params=['whole', 'large'])
def path(request, tmp_path, monkeypatch):
    """A file of records of several sizes; 'large' ones are read in part, as files above the limit are."""
    if request.param == 'large':
        monkeypatch.setattr(contents, 'WHOLE', 1000)
    random = np.random.RandomState(0)
    with RecordWriter(tmp_path / 'a.rec') as writer:
        for size in SIZES:
            writer.write(1, random.bytes(size))
    return tmp_path / 'a.rec'


def changed(path, at):
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)
    return contents_hash(RecordFile(path))


def test_the_ends_of_every_record_are_hashed(path):
    """Every byte of the records that are no longer than two kilobytes, and the outer kilobytes of the others."""
    records = RecordFile(path)
    before = contents_hash(records)
    assert before == contents_hash(RecordFile(path))
    places = []
    for begin, end in zip(records.offsets.tolist(), records.ends.tolist()):
        places += [begin + 12, begin + 16, begin + 32, min(begin, end) + 1023, end - 1024, end - 5]
    hashes = {before}
    for at in places:
        original = path.read_bytes()
        hashes.add(changed(path, at))
        path.write_bytes(original)
    assert len(hashes) == 1 + len(set(places))


def test_exchanged_pictures(path):
    records = RecordFile(path)
    images = [bytes(records.image(number)) for number in range(len(SIZES))]
    with RecordWriter(path.with_name('b.rec')) as writer:
        for number in (0, 2, 1, *range(3, len(SIZES))):
            writer.write(1, images[number])
    other = RecordFile(path.with_name('b.rec'))
    assert other.offsets.tolist() == records.offsets.tolist()
    assert contents_hash(other) != contents_hash(records)


def test_small_files_are_hashed_whole(path):
    records, whole = RecordFile(path), path.stat().st_size <= contents.WHOLE
    middle = int(records.offsets[-1]) + 20_000
    before = contents_hash(records)
    assert (changed(path, middle) != before) == whole
    if whole:
        assert before == hashlib.sha256(bytes(path.read_bytes()[:middle]) + bytes([path.read_bytes()[middle] ^ 1])
                                        + path.read_bytes()[middle + 1 :]).hexdigest()  # fmt: skip


def test_only_the_pictures_of_faces_count(tmp_path):
    path = write_faces(tmp_path / 'a.rec')
    before, data = contents_hash(RecordFile(path)), bytearray(path.read_bytes())
    data[-16] ^= 1  # the second id of the last identity record, which nothing reads
    path.write_bytes(data)
    assert contents_hash(RecordFile(path)) == before
