"""Every fault is found, named and counted, and the check continues after it."""

import struct

import cv2
import mxnet as mx
import numpy as np
import pytest

from gluon_cbam.common.errors import UsageError
from gluon_cbam.data.records.checking import check_files
from gluon_cbam.data.records.recordio import RecordFile, RecordWriter, index_path

COUNT = 3000  # more than a chunk of the scan


def image(number):
    pixels = np.zeros((4, 8, 3), np.uint8)
    pixels.flat[:8] = np.frombuffer(struct.pack('<q', number), np.uint8)
    return cv2.imencode('.png', pixels)[1].tobytes()


@pytest.fixture
def path(tmp_path):
    with RecordWriter(tmp_path / 'a.rec') as writer:
        for number in range(COUNT):
            writer.write(number % 10, image(number))
    return tmp_path / 'a.rec'


def patch(path, offset, data):
    with open(path, 'r+b') as file:
        file.seek(offset)
        file.write(data)


def bad_of(report):
    return [(bad.kind, bad.number, bad.offset) for bad in report.bad]


@pytest.mark.parametrize('workers', [1, 2])
def test_an_intact_file(path, workers):
    seen = []
    checked = check_files([path], classes=10, workers=workers, progress=lambda *state: seen.append(state))
    (report,) = checked.files
    assert checked.ok(strict=True)
    assert (report.records, report.lost_bytes, report.lost_records, report.counts, report.bad) == (COUNT, 0, 0, {}, [])
    assert checked.duplicates == (0, 0, 0, 0, [])
    assert seen == sorted(seen)
    assert seen[-1] == (path.stat().st_size, path.stat().st_size)
    headers = check_files([path], decoding=False, duplicates=False)
    assert headers.ok(strict=True)
    assert headers.duplicates is None


def test_several_faults_in_one_report(path):
    """Structure, a label, an image, the index: all in one report, and the records after the fault are checked too."""
    records = RecordFile(path)
    offsets = [int(records.offset(number)) for number in range(COUNT)]
    patch(path, offsets[5] + 12, struct.pack('<f', float('nan')))
    patch(path, offsets[1100] + 60, bytes(20))
    patch(path, offsets[1200], bytes(offsets[1203] - offsets[1200]))
    patch(path, offsets[2999] + 12, struct.pack('<f', 10))
    checked = check_files([path], classes=10, workers=2)
    (report,) = checked.files
    assert not checked.ok()
    assert report.counts == {'label': 2, 'image': 1, 'structure': 1, 'index': 1}
    assert bad_of(report) == [
        ('label', 5, offsets[5]),
        ('image', 1100, offsets[1100]),
        ('structure', 1200, offsets[1200]),
        ('label', 2996, offsets[2999]),
        ('index', None, None),
    ]
    assert report.bad[0].reason == 'label nan, not a class in 0..9'
    assert report.bad[1].reason.startswith(f'a damaged image ({len(image(1100))} bytes): chunk ')
    assert (report.records, report.lost_records) == (COUNT - 3, 3)
    assert report.lost_bytes == offsets[1203] - offsets[1200]
    headers = check_files([path], decoding=False, duplicates=False).files[0]
    assert headers.counts == {'label': 1, 'structure': 1, 'index': 1}


def test_mxnet_reads_the_intact_records(path):
    """MXNet's decoder accepts the same records as the check."""
    records = RecordFile(path)
    for number in (3, 700, 2500):
        patch(path, int(records.offset(number)) + 32, bytes(20))
    bad = {entry.number for entry in check_files([path]).files[0].bad}
    reader = mx.recordio.MXIndexedRecordIO(str(index_path(path)), str(path), 'r')
    failed = set()
    for number in [*range(10), *range(695, 705), *range(2495, 2505)]:
        _, content = mx.recordio.unpack(reader.read_idx(number))
        try:
            mx.image.imdecode(content).asnumpy()
        except mx.MXNetError:
            failed.add(number)
    assert bad == failed == {3, 700, 2500}


def test_labels_and_empty_images(tmp_path):
    with RecordWriter(tmp_path / 'a.rec') as writer:
        for labels, content in (([1.0], b''), ([0.5], image(1)), ([1, float('inf')], image(2)), ([-1], image(3))):
            writer.write(labels, content)
        writer.write([1.0], b'')
    report = check_files([tmp_path / 'a.rec']).files[0]
    assert [(bad.kind, bad.number) for bad in report.bad] == [('empty', 0), ('label', 2), ('empty', 4)]
    report = check_files([tmp_path / 'a.rec'], classes=2).files[0]
    assert [bad.number for bad in report.bad if bad.kind == 'label'] == [1, 2, 3]
    assert check_files([tmp_path / 'a.rec']).duplicates.images == 0, 'empty images are no duplicates'
    headers = check_files([tmp_path / 'a.rec'], decoding=False, duplicates=False).files[0]
    assert headers.counts == {'empty': 2}


def test_duplicates_in_a_file_and_across(tmp_path):
    files = {'train': [(0, 7), (0, 1), (1, 7), (2, 3), (2, 7)], 'val': [(5, 9), (2, 3), (0, 1), (5, 8)]}
    paths = [tmp_path / f'{name}.rec' for name in files]
    for path, rows in zip(paths, files.values()):
        with RecordWriter(path) as writer:
            for label, number in rows:
                writer.write(label, image(number))
    checked = check_files(paths, workers=2)
    train, val = (str(path) for path in paths)
    assert checked.duplicates == (
        4, 3, 2, 1,
        [[(train, 0), (train, 2), (train, 4)], [(train, 1), (val, 2)], [(train, 3), (val, 1)]],
    )  # fmt: skip
    assert checked.ok()
    assert not checked.ok(strict=True)
    assert check_files(paths, decoding=False).duplicates == checked.duplicates
    assert check_files(paths[1:]).ok(strict=True)


def test_ids(path):
    patch(path, int(RecordFile(path).offset(8)) + 16, struct.pack('<Q', 7))
    checked = check_files([path], decoding=False, duplicates=False)
    assert checked.files[0].repeated_ids == 1
    assert checked.ok()
    assert not checked.ok(strict=True)


@pytest.mark.parametrize('content', [b'', b'this is no record file\n' * 20, bytes(5000)])
def test_no_record_file(tmp_path, content):
    path = tmp_path / 'a.rec'
    path.write_bytes(content)
    report = check_files([path]).files[0]
    assert (report.records, report.lost_bytes) == (0, len(content))
    assert report.counts == {'structure': 1, 'index': 1}
    with pytest.raises(UsageError, match='no record file'):
        check_files([path, tmp_path / 'none.rec'])


def test_a_report_lists_the_first_faults_and_counts_all(path):
    report = check_files([path], decoding=False, duplicates=False, classes=5).files[0]
    assert report.counts == {'label': COUNT // 2}
    assert len(report.bad) == 20
    assert len(report.as_dict()['first']) == 20


MEASURE = r"""
import re, sys
from gluon_cbam.data.records.checking import check_files
from gluon_cbam.data.records.recordio import RecordFile
def peak():  # not getrusage: a process inherits the peak of its parent
    return 1024 * int(re.search(r'VmHWM:\s+(\d+)', open('/proc/self/status').read()).group(1))
check_files([sys.argv[1]], workers=1)
before = peak()
for path in sys.argv[2:]:
    RecordFile(path)
    check_files([path], workers=1)
print((peak() - before) / 50_000)
"""


@pytest.mark.slow
def test_memory_is_bounded(path, tmp_path, python):
    """A million records may take a few tens of megabytes: no more than 160 bytes each, all arrays together."""
    with RecordWriter(tmp_path / 'many.rec') as writer:
        content = image(0)
        for number in range(50_000):
            writer.write(number % 10, content + struct.pack('<q', number))
    process = python(f'import sys; sys.argv = ["", {str(path)!r}, {str(tmp_path / "many.rec")!r}]\n{MEASURE}')
    assert process.returncode == 0, process.stderr
    assert float(process.stdout) < 160, process.stdout
