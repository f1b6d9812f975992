"""Merging, selecting and splitting sets of faces, read by MXNet's own reader."""

import json

import cv2
import numpy as np
import pytest
from checks import assert_one_line
from click.testing import CliRunner
from mxnet import recordio
from records import photo_of, write_faces

from gluon_cbam.cli.main import cli
from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.data.faces import record_sets
from gluon_cbam.data.faces.merging import merge
from gluon_cbam.data.faces.record_sets import FaceRecords, writing_faces
from gluon_cbam.data.faces.selecting import select
from gluon_cbam.data.records.checking import check_files


@pytest.fixture
def face_set(tmp_path):
    """Writes a set of faces: name of the folder, identities, first photo -> the folder."""

    def write(name, identities, first=0, pairs=True, header_first=False, names=None):
        folder = tmp_path / name
        folder.mkdir()
        images = [photo_of(first + number) for number in range(len(identities))]
        write_faces(folder / 'train.rec', identities, pairs, header_first, images)
        (folder / 'property').write_text(f'{max(identities) + 1},16,16\n')
        if names:
            (folder / 'classes.txt').write_text('\n'.join(names) + '\n')
        return folder

    return write


def read_like_insightface(path):
    """[[label, image], ...] by identity record, as insightface's FaceImageIter finds them."""
    reader = recordio.MXIndexedRecordIO(str(path.with_suffix('.idx')), str(path), 'r')
    header, _ = recordio.unpack(reader.read_idx(0))
    assert header.flag == 2
    first, end = (int(value) for value in header.label)
    assert sorted(reader.keys) == list(range(end))
    groups = []
    for key in range(first, end):
        identity, image = recordio.unpack(reader.read_idx(key))
        assert (identity.flag, image) == (2, b'')
        group = []
        for number in range(*(int(value) for value in identity.label)):
            picture, image = recordio.unpack(reader.read_idx(number))
            assert picture.id == number < first
            group.append((np.atleast_1d(picture.label).tolist(), image))
        groups.append(group)
    assert sum(map(len, groups)) == first - 1
    return groups


def labels_of(groups):
    return [[labels[0] for labels, _ in group] for group in groups]


def test_merged_sets_as_insightface_reads_them(face_set, tmp_path):
    sets = [face_set('a', [0, 0, 1, 1, 1], names=['Ada', 'Bo']), face_set('b', [0, 1, 2, 2], 3, False, True)]
    done = merge(sets, tmp_path / 'out')
    assert (done.pictures, done.identities, done.empty) == (9, 5, 0)
    assert [(each.pictures, each.first_label) for each in done.sets] == [(5, 0), (4, 2)]
    groups = read_like_insightface(tmp_path / 'out' / 'train.rec')
    assert labels_of(groups) == [[0, 0], [1, 1, 1], [2], [3], [4, 4]]
    images = [image for group in groups for _, image in group]
    assert images == [photo_of(number) for number in (0, 1, 2, 3, 4, 3, 4, 5, 6)]
    assert [labels for group in groups for labels, _ in group][:1] == [[0.0, 1.0]], 'further labels are kept'
    assert (tmp_path / 'out' / 'property').read_text() == '5,16,16\n'
    assert (tmp_path / 'out' / 'classes.txt').read_text().splitlines() == ['Ada', 'Bo', '0', '1', '2']
    (report,) = check_files([done.path]).files
    assert (report.counts, report.identities) == ({}, 5)
    duplicates = done.duplicates
    assert (duplicates.images, duplicates.groups, duplicates.across, duplicates.other_label) == (2, 2, 2, 2)


def test_duplicates_within_and_across_sets_are_dropped(face_set, tmp_path):
    first = face_set('a', [0, 0, 1])
    second = face_set('b', [0, 1, 1], 2)  # its identity 0 has the picture of the identity 1 of the first alone
    done = merge([first, second], tmp_path / 'out', drop_duplicates=True)
    assert (done.pictures, done.identities, done.empty, done.duplicates.images) == (5, 4, 1, 1)
    assert [(each.pictures, each.dropped) for each in done.sets] == [(3, 0), (2, 1)]
    groups = read_like_insightface(done.path)
    assert labels_of(groups) == [[0, 0], [1], [3, 3]]
    assert (tmp_path / 'out' / 'property').read_text() == '4,16,16\n'
    again = merge([tmp_path / 'out', first], tmp_path / 'more', drop_duplicates=True)
    assert again.pictures == 5


def test_names_that_two_sets_share_get_their_folder(face_set, tmp_path):
    sets = [face_set(name, [0, 1], 2 * number, names=['Ada', name]) for number, name in enumerate('xy')]
    merge(sets, tmp_path / 'out')
    assert (tmp_path / 'out' / 'classes.txt').read_text().split() == ['0_x/Ada', '0_x/x', '1_y/Ada', '1_y/y']


def test_shuffled_sets_are_read_in_sequence(face_set, tmp_path):
    """Without a header each key is a picture, as insightface's "shuffled rec"."""
    source = face_set('a', list(np.repeat(np.arange(10), 4)))
    paths = [
        merge([source], tmp_path / name, shuffle=True, seed=seed).path for name, seed in (('b', 1), ('c', 1), ('d', 2))
    ]
    assert paths[0].read_bytes() == paths[1].read_bytes() != paths[2].read_bytes()
    reader = recordio.MXRecordIO(str(paths[0]), 'r')
    found = [recordio.unpack(record) for record in iter(reader.read, None)]
    labels = [header.label[0] for header, _ in found]
    assert labels != sorted(labels)
    assert sorted(labels) == sorted(np.repeat(np.arange(10), 4))
    assert {image for _, image in found} == {photo_of(number) for number in range(40)}
    for header, image in found:
        assert image in [photo_of(4 * int(header.label[0]) + number) for number in range(4)]
    assert len(FaceRecords(paths[0])) == 40


def test_the_held_out_part_does_not_replace_the_set(face_set, tmp_path):
    _, held_out = select(face_set('a', [0, 0, 1, 1, 2, 2, 3, 3]), tmp_path / 'part', val_identities=2)
    before = held_out.path.read_bytes()
    with pytest.raises(UsageError, match=r'part has the set itself in .*val'):
        select(held_out.path, tmp_path / 'part', val_identities=1, overwrite=True)
    assert held_out.path.read_bytes() == before


def test_sets_that_do_not_fit_are_refused(face_set, tmp_path):
    first, second = face_set('a', [0, 1]), face_set('b', [0, 1])
    with pytest.raises(UsageError, match='is one of the sets to merge'):
        merge([first, second], second, overwrite=True)
    with pytest.raises(UsageError, match='a set is given twice'):
        merge([first, first / 'train.rec'], tmp_path / 'out')
    (second / 'property').write_text('2,12,10\n')
    with pytest.raises(DataError, match=r'b/property states pictures of 12 x 10 pixels .* has 16 x 16: correct'):
        merge([first, second], tmp_path / 'out')
    small = cv2.imencode('.png', np.zeros((12, 10, 3), np.uint8))[1].tobytes()
    write_faces(second / 'train.rec', [0, 1], True, False, [small, small])
    with pytest.raises(DataError, match='different sizes .*: 16 x 16 in .*a, 12 x 10 in .*b'):
        merge([first, second], tmp_path / 'out')
    (second / 'property').write_text('1,16,16\n')
    with pytest.raises(DataError, match=r'has label 1, not a class in 0..0 that .*property states \(1 of 2 pictures\)'):
        merge([first, second], tmp_path / 'out')
    (first / 'classes.txt').write_text('Ada\n')
    with pytest.raises(DataError, match='has 1 names for 2 identities'):
        merge([first], tmp_path / 'out')
    assert not (tmp_path / 'out').exists()


def test_a_set_is_kept_unless_forced(face_set, tmp_path):
    first, second = face_set('a', [0, 1], names=['x', 'y']), face_set('b', [0, 0, 0])
    merge([first], tmp_path / 'out')
    before = {path: path.read_bytes() for path in (tmp_path / 'out').iterdir()}
    with pytest.raises(UsageError, match='exists'):
        merge([second], tmp_path / 'out')
    assert {path: path.read_bytes() for path in (tmp_path / 'out').iterdir()} == before
    merge([second], tmp_path / 'out', overwrite=True)
    assert sorted(path.name for path in (tmp_path / 'out').iterdir()) == ['property', 'train.idx', 'train.rec']


def test_more_pictures_than_float32_can_number_are_refused(face_set, tmp_path, monkeypatch):
    monkeypatch.setattr(record_sets, '_EXACT', 6)
    source = face_set('a', [0, 0, 1, 1])
    with pytest.raises(DataError, match=r'4 pictures of 2 identities: .*--shuffle'):
        merge([source], tmp_path / 'out')
    assert not (tmp_path / 'out').exists()
    assert merge([source], tmp_path / 'out', shuffle=True).pictures == 4


def test_an_error_leaves_nothing(tmp_path):
    with pytest.raises(KeyError), writing_faces(tmp_path / 'out' / 'train.rec', (16, 16)) as writer:
        writer.write(0, photo_of(0))
        raise KeyError
    assert not (tmp_path / 'out').exists()


COUNTS = [1, 2, 3, 4, 5, 3]


@pytest.fixture
def source(face_set):
    return face_set('source', list(np.repeat(np.arange(6), COUNTS)))


def test_identities_with_enough_pictures(source, tmp_path):
    (done,) = select(source, tmp_path / 'out', min_pictures=3)
    assert (done.pictures, done.identities) == (15, 4)
    groups = read_like_insightface(done.path)
    assert labels_of(groups) == [[0] * 3, [1] * 4, [2] * 5, [3] * 3]
    assert [image for group in groups for _, image in group] == [photo_of(number) for number in range(3, 18)]
    assert (tmp_path / 'out' / 'property').read_text() == '4,16,16\n'
    assert (tmp_path / 'out' / 'classes.txt').read_text().split() == ['2', '3', '4', '5']


def test_labels_can_be_kept(source, tmp_path):
    (done,) = select(source, tmp_path / 'out', min_pictures=4, keep_labels=True)
    assert labels_of(read_like_insightface(done.path)) == [[3] * 4, [4] * 5]
    assert (tmp_path / 'out' / 'property').read_text() == '6,16,16\n'
    assert not (tmp_path / 'out' / 'classes.txt').exists()


def test_at_most_some_pictures_of_an_identity_at_random(source, tmp_path):
    seen = set()
    for seed in range(12):
        (done,) = select(source, tmp_path / 'out', max_pictures=2, seed=seed, overwrite=True)
        groups = read_like_insightface(done.path)
        assert [len(group) for group in groups] == [1, 2, 2, 2, 2, 2]
        seen.add(tuple(image for _, image in groups[4]))
        assert {image for _, image in groups[4]} < {photo_of(number) for number in range(10, 15)}
    assert len(seen) > 4


@pytest.mark.parametrize(('wanted', 'count'), [(2, 2), (0.5, 3)])
def test_some_identities_at_random(source, tmp_path, wanted, count):
    chosen = set()
    for seed in range(12):
        select(source, tmp_path / 'out', identities=wanted, seed=seed, overwrite=True)
        names = (tmp_path / 'out' / 'classes.txt').read_text().split()
        assert len(names) == count
        chosen.update(names)
    assert chosen == set('012345')


def test_held_out_identities_are_disjoint(source, tmp_path):
    train, held = select(source, tmp_path / 'out', val_identities=2, seed=3)
    names = [path.with_name('classes.txt').read_text().split() for path in (train.path, held.path)]
    assert sorted(sum(names, [])) == list('012345')
    assert (train.pictures + held.pictures, train.identities, held.identities) == (18, 4, 2)
    images = [{image for group in read_like_insightface(each.path) for _, image in group} for each in (train, held)]
    assert not images[0] & images[1]
    assert held.path == tmp_path / 'out' / 'val' / 'val.rec'
    for name, groups in zip(names[1], read_like_insightface(held.path)):
        assert len(groups) == COUNTS[int(name)]
    again = select(source, tmp_path / 'again', val_identities=2, seed=3)
    assert [each.path.read_bytes() for each in again] == [train.path.read_bytes(), held.path.read_bytes()]


def test_impossible_selections(source, tmp_path):
    with pytest.raises(UsageError, match='no identity with 9 pictures'):
        select(source, tmp_path / 'out', min_pictures=9)
    with pytest.raises(UsageError, match='--identities 7 gives 7 of 6'):
        select(source, tmp_path / 'out', identities=7)
    with pytest.raises(UsageError, match='--val-identities 0.01 gives 0 of 6'):
        select(source, tmp_path / 'out', val_identities=0.01)
    with pytest.raises(UsageError, match='leaves none of 6'):
        select(source, tmp_path / 'out', val_identities=6)
    with pytest.raises(UsageError, match='has the set itself'):
        select(source, source, overwrite=True)
    assert not (tmp_path / 'out').exists()


def test_commands(source, face_set, tmp_path):
    second = face_set('second', [0, 0], 17)
    result = CliRunner().invoke(cli, ['data', 'merge', str(source), str(second), str(tmp_path / 'out'), '-j', '1'])
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert lines[0] == f'{tmp_path}/out/train.rec: 20 pictures of 7 identities'
    assert lines[2] == f'  {second}/train.rec: 2 pictures, 1 identities from label 6 on'
    assert lines[3].startswith('warning: 1 images repeat an earlier one (1 different ones, 1 of them in several files')
    arguments = ['data', 'select', str(tmp_path / 'out'), str(tmp_path / 'part'), '--val-identities', '0.3', '--json']
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 0, result.output
    value = json.loads(result.stdout.splitlines()[-1])
    assert [each['identities'] for each in value['sets']] == [5, 2]


@pytest.mark.parametrize('text', ['0', '-1', '1.5', 'many', '0.0', '1e-3'])
def test_neither_a_number_nor_a_share(source, tmp_path, cbam, text):
    process = cbam('data', 'select', source, tmp_path / 'out', f'--identities={text}')
    assert 'is neither a number from 1 on nor a share' in assert_one_line(process, 2)


def test_the_records_of_insightface_are_no_surprise(source, tmp_path, caplog):
    select(source, tmp_path / 'out')
    assert 'has records of insightface' not in caplog.text
