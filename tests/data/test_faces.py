"""insightface's record files: their pictures are used, the header and the identity records are counted."""

import json
import os
import struct

import mxnet as mx
import numpy as np
import pytest
from click.testing import CliRunner
from records import encoded, photo, photo_of, write_faces

from gluon_cbam.cli.main import cli
from gluon_cbam.common.errors import DataError
from gluon_cbam.data.loading.preprocessing import Preprocessing
from gluon_cbam.data.loading.training import TrainingData
from gluon_cbam.data.records.checking import check_files
from gluon_cbam.data.records.faces import read_property
from gluon_cbam.data.records.recordio import RecordFile, index_path, rebuild_index, salvage_index
from gluon_cbam.data.records.statistics import statistics
from gluon_cbam.data.sources.images import open_images
from gluon_cbam.tasks import get_task

IDENTITIES = [0, 0, 0, 1, 1, 2]


@pytest.fixture(params=[(pairs, first) for pairs in (True, False) for first in (True, False)])
def faces(request, tmp_path):
    pairs, first = request.param
    return write_faces(tmp_path / 'train.rec', IDENTITIES, pairs, first)


def test_only_pictures_are_records(faces, caplog):
    records = RecordFile(faces)
    assert (len(records), records.identities) == (6, 3)
    assert records.labels.tolist() == IDENTITIES
    assert records.ids.tolist() == [1, 2, 3, 4, 5, 6]
    for number in range(6):
        assert bytes(records.image(number)) == records[number].image == photo_of(number)
        assert records.labels_of(number).tolist() == records[number].labels.tolist()
    assert 'its 6 pictures are used, a header and 3 identity records are not' in caplog.text
    assert len(RecordFile(faces, label_index=0)) == 6
    assert get_task().open_training(faces, 3).labels.tolist() == IDENTITIES
    with pytest.raises(DataError, match='has label 2, not a class in 0..1'):
        get_task().open_validation(faces, 2)


def test_an_epoch_has_each_picture_once(faces):
    data = TrainingData(RecordFile(faces), 3, Preprocessing(16, 1.0), 'none', 0, 1)
    labels = np.concatenate([batch.labels.asnumpy() for batch in data.epoch(0)])
    assert sorted(labels) == IDENTITIES


def test_prediction_reads_the_pictures(faces):
    images = list(open_images([str(faces)]))
    assert [image.number for image in images] == list(range(6))
    assert all(image.decode().shape == (16, 16, 3) for image in images)
    assert [image.labels for image in images] == [(identity,) for identity in IDENTITIES]


def test_the_check_counts_the_rest(faces):
    report = check_files([faces], classes=3).files[0]
    assert (report.counts, report.records, report.identities, report.unfit) == ({}, 10, 3, None)
    assert sum(report.label_counts.values()) == 6
    (faulty,) = check_files([faces], classes=2).files
    assert faulty.counts == {'label': 1}
    result = CliRunner().invoke(cli, ['data', 'check', str(faces), '-j', '1'])
    assert result.exit_code == 0, result.output
    assert 'insightface: 6 pictures, a header, 3 identity records' in result.output


def test_an_empty_picture_is_a_fault(tmp_path):
    """Its labels are a pair as those of identity records are, but its id is a picture's."""
    images = [photo_of(number) if number != 4 else b'' for number in range(6)]
    path = write_faces(tmp_path / 'a.rec', IDENTITIES, True, False, images)
    report = check_files([path], decoding=False, duplicates=False).files[0]
    assert report.counts == {'empty': 1}
    assert [(bad.kind, bad.number) for bad in report.bad] == [('empty', 4)]
    assert len(RecordFile(path)) == 6


@pytest.mark.parametrize('sample', [None, 100])
def test_statistics_are_of_the_pictures(faces, sample):
    found = statistics(faces, sample)
    assert (found['records'], found['images'], found['bad'], found['identities']) == (6, 6, 0, 3)
    assert found['classes']['images'] == [3, 2, 1]


@pytest.mark.parametrize('build', [rebuild_index, salvage_index])
def test_the_index_has_the_ids_as_keys(faces, build):
    """insightface looks up the header under the key 0, and pictures under the numbers of the identity records."""
    expected = sorted(index_path(faces).read_text().splitlines())
    index_path(faces).unlink()
    assert len(RecordFile(faces, indexed=False)) == 6
    build(faces)
    assert sorted(index_path(faces).read_text().splitlines()) == expected
    reader = mx.recordio.MXIndexedRecordIO(str(index_path(faces)), str(faces), 'r')
    header, _ = mx.recordio.unpack(reader.read_idx(0))
    assert (header.flag, header.label.tolist()) == (2, [7.0, 10.0])
    assert len(RecordFile(faces)) == 6


def test_the_property_file_gives_the_number_of_classes(tmp_path):
    path = write_faces(tmp_path / 'train.rec')
    assert read_property(tmp_path) is None
    (tmp_path / 'property').write_text('3,112,112\n')
    assert get_task().labels(path, None).classes == 3
    assert get_task().labels(path, 5).classes == 5
    (tmp_path / 'property').write_text('three\n')
    with pytest.raises(DataError, match='property: not "identities,height,width" of insightface'):
        get_task().labels(path, None)
    (tmp_path / 'classes.txt').write_text('a\nb\n')
    assert get_task().labels(path, None).classes == 2


def test_other_files_are_as_they_were(tmp_path):
    """Without the header record, no record is left out: an empty image with two labels is one."""
    path = write_faces(tmp_path / 'a.rec', header_first=True)
    patched = bytearray(path.read_bytes())
    patched[16:24] = (77).to_bytes(8, 'little')  # the id of the header
    path.write_bytes(patched)
    records = RecordFile(path)
    assert (len(records), records.identities) == (10, None)
    report = check_files([path], decoding=False, duplicates=False).files[0]
    assert report.counts == {'empty': 4}
    with pytest.raises(DataError, match='has 2 labels'):
        records.check_labels(3)


def test_commands_use_the_pictures(tmp_path, monkeypatch):
    """Validation counts the pictures alone; the network need not be trained."""
    path = write_faces(tmp_path / 'val.rec')
    arguments = ['--network', 'cbamnet_tiny', '--image-size', '16', '--classes', '3', '-j', '1', '--json']
    result = CliRunner().invoke(cli, ['validate', '--data-val', os.fspath(path), *arguments])
    assert result.exit_code == 0, result.output
    assert json.loads(result.output[result.output.index('{') :].splitlines()[0])['records'] == 6


def with_range(path, record, first, end):
    """Change the pictures that an identity record names."""
    patched = bytearray(path.read_bytes())
    offset = dict(map(int, line.split()) for line in index_path(path).read_text().splitlines())[record]
    patched[offset + 32 : offset + 40] = struct.pack('<ff', first, end)
    path.write_bytes(patched)
    return path


@pytest.mark.parametrize(
    ('record', 'first', 'end', 'named'),
    [
        (8, 4, 9, '4..8'),
        (9, 6, 8, '6..7'),
        (7, 0, 4, '0..3'),
        (9, 7, 6, '7..5'),
        (9, 1.5, 2, '1.5..1'),
        (9, float('nan'), 2, 'nan..1'),
    ],
)
def test_an_identity_record_beyond_the_pictures_is_refused(tmp_path, record, first, end, named):
    path = with_range(write_faces(tmp_path / 'train.rec'), record, first, end)
    message = f'identity record {record}: its pictures {named} lie outside those of the file, 1..6'
    with pytest.raises(DataError, match=message):
        RecordFile(path)
    report = check_files([path], decoding=False, duplicates=False).files[0]
    assert report.counts == {'identity': 1}
    assert message in report.bad[0].reason
    result = CliRunner().invoke(cli, ['data', 'check', str(path), '--no-decode', '--classes', '3'])
    assert result.exit_code == 4
    assert message in result.output


def test_an_identity_record_with_pictures_of_two_labels_is_a_fault(tmp_path):
    path = with_range(write_faces(tmp_path / 'train.rec'), 7, 1, 5)
    (report,) = check_files([path], decoding=False, duplicates=False).files
    assert [bad.reason for bad in report.bad] == ['identity record 7: its pictures 1..4 have several labels']
    assert len(RecordFile(path)) == 6  # training reads the labels


def test_a_header_that_states_other_numbers_is_a_fault(tmp_path):
    path = with_range(write_faces(tmp_path / 'train.rec'), 0, 7, 11)
    (report,) = check_files([path], decoding=False, duplicates=False).files
    assert [bad.reason for bad in report.bad] == ['the header: it states 4 identity records, and there are 3']


def test_labels_beyond_property_are_faults(faces):
    (faces.parent / 'property').write_text('2,112,112\n')
    (report,) = check_files([faces], decoding=False, duplicates=False).files
    assert [(bad.kind, bad.reason) for bad in report.bad] == [('label', 'label 2, and property states 2 identities')]
    with pytest.raises(DataError, match='has label 2, not a class in 0..1'):
        get_task().open_training(faces, get_task().labels(faces, None).classes)
    (faces.parent / 'property').write_text('3,112,112\n')
    assert not check_files([faces], decoding=False, duplicates=False).files[0].counts
    (faces.parent / 'property').write_text('3\n')
    assert check_files([faces], decoding=False, duplicates=False).files[0].counts == {'identity': 1}


@pytest.mark.parametrize('decoding', [True, False])
def test_pictures_of_another_size_than_property_states_are_faults(tmp_path, decoding):
    """From their pixels, or from their headers where images are only hashed."""
    images = [encoded(photo(16, 16), ending) for ending in ('.png', '.jpg')] + [encoded(photo(12, 16)), b'cut']
    path = write_faces(tmp_path / 'train.rec', (0, 0, 1, 1), images=images)
    (path.parent / 'property').write_text('2,16,16\n')
    (report,) = check_files([path], decoding=decoding).files
    found = [(bad.kind, bad.reason) for bad in report.bad if bad.kind != 'image']
    assert found == [('size', '12 x 16 pixels (height x width), and property states 16 x 16')]
    assert report.counts['image'] == decoding, 'what is no image is another fault'
    (path.parent / 'property').write_text('2,12,16\n')
    assert check_files([path], decoding=decoding).files[0].counts['size'] == 2
    (path.parent / 'property').unlink()
    assert not check_files([path], decoding=decoding).files[0].counts['size']


def test_reports_count_the_pictures_of_identities(faces):
    expected = {'count': 3, 'min': 1, 'median': 2.0, 'max': 3, 'single': 1}
    assert check_files([faces], decoding=False, duplicates=False).files[0].as_dict()['identity_pictures'] == expected
    assert statistics(faces)['identity_pictures'] == expected
    for command in ('check', 'stats'):
        result = CliRunner().invoke(cli, ['data', command, str(faces), '-j', '1'])
        assert 'identities: 3, 1 / 2 / 3 (min / median / max) pictures each, 1 with one' in result.output
