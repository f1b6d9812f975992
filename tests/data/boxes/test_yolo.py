"""Reading YOLO's folders: descriptions, splits, empty files, polygons, and what is wrong."""

import pytest
from box_files import SIZES, pictures, rows, text

from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.data.boxes.formats import read_boxes, recognize
from gluon_cbam.data.boxes.sets import check_part

# a.jpg is 64 x 48, b.png 60 x 40
A = '1 0.5 0.5 1 1\n0 0.25 0.5 0.25 0.5\n'
EXPECTED = {
    'a.jpg': [('cat', (0, 0, 64, 48), False, False), ('Dog', (8, 12, 24, 36), False, False)],
    'b.png': [],
    'c.jpg': [],
}


def write(folder, images='images', labels='labels'):
    pictures(folder / images)
    text(folder / labels / 'a.txt', A)
    text(folder / labels / 'b.txt', '\n')  # c has no file


def test_one_folder_with_names(tmp_path):
    write(tmp_path)
    text(tmp_path / 'classes.txt', 'Dog\ncat\n')
    assert recognize(tmp_path).name == 'yolo'
    boxes = read_boxes(tmp_path)
    assert boxes.classes == ('Dog', 'cat')
    assert rows(boxes) == {'train': EXPECTED}
    assert {image.name: (image.height, image.width) for image in boxes.parts[0].columns} == SIZES
    assert not check_part(boxes.parts[0], boxes.classes).counts


@pytest.mark.parametrize('names', ['[Dog, cat]', '{0: Dog, 1: cat}', '\n  1: cat\n  0: Dog'])
def test_description(tmp_path, names):
    write(tmp_path, 'images/train', 'labels/train')
    write(tmp_path, 'images/val', 'labels/val')
    text(tmp_path / 'data.yaml', f'train: images/train\nval: images/val\nnc: 2\nnames: {names}\n')
    for source in (tmp_path, tmp_path / 'data.yaml'):
        assert rows(read_boxes(source)) == {'train': EXPECTED, 'val': EXPECTED}


def test_description_with_a_path_and_a_list(tmp_path):
    write(tmp_path / 'deep' / 'set')
    text(tmp_path / 'deep' / 'set' / 'some.txt', './images/b.png\n./images/a.jpg\n')
    text(tmp_path / 'data.yaml', 'path: deep/set\ntrain: some.txt\nval: images\nnames: [Dog, cat]\n')
    boxes = read_boxes(tmp_path)
    assert {name: list(found) for name, found in rows(boxes).items()} == {
        'train': ['images/b.png', 'images/a.jpg'], 'val': ['a.jpg', 'b.png', 'c.jpg'],
    }  # fmt: skip
    assert rows(boxes)['train']['images/a.jpg'] == EXPECTED['a.jpg']
    text(tmp_path / 'deep' / 'set' / 'some.txt', 'images/b.png\nimages/a.jpg\n./images/b.png\n')
    with pytest.raises(DataError, match=r"some\.txt: 'images/b\.png' is listed twice"):
        read_boxes(tmp_path)


def test_roboflows_description_leads_one_folder_too_high(tmp_path):
    write(tmp_path / 'set', 'train/images', 'train/labels')
    text(tmp_path / 'set' / 'data.yaml', 'train: ../train/images\nnames: [Dog, cat]\n')
    assert rows(read_boxes(tmp_path / 'set')) == {'train': EXPECTED}


@pytest.mark.parametrize('layout', ['images/{}', '{}/images'])
def test_splits_without_description(tmp_path, layout):
    for split in ('train', 'valid'):
        write(tmp_path, layout.format(split), layout.format(split).replace('images', 'labels'))
    text(tmp_path / 'classes.txt', 'Dog\ncat\n')
    assert rows(read_boxes(tmp_path)) == {'train': EXPECTED, 'val': EXPECTED}


def test_labels_beside_the_pictures(tmp_path):
    write(tmp_path, '', '')
    assert recognize(tmp_path) is None  # whatever these texts are
    text(tmp_path / 'classes.txt', 'Dog\ncat\n')
    assert recognize(tmp_path).name == 'yolo'
    assert rows(read_boxes(tmp_path)) == {'train': EXPECTED}
    assert not read_boxes(tmp_path).left_out.total


def test_polygons_become_their_bounds(tmp_path):
    write(tmp_path)
    text(tmp_path / 'classes.txt', 'Dog\n')
    text(tmp_path / 'labels' / 'a.txt', '0 0.25 0.5 0.5 0.25 0.75 1.0 0.5 0.75\n')
    boxes = read_boxes(tmp_path)
    assert rows(boxes)['train']['a.jpg'] == [('Dog', (16, 12, 48, 48), False, False)]
    assert boxes.lost == {'polygons': 1}
    text(tmp_path / 'labels' / 'a.txt', '0 0.5 0.5 0.5 0.5\n')
    assert read_boxes(tmp_path).lost == {}  # not 0 polygons


@pytest.mark.parametrize(
    'line, kind, reason',
    [
        ('0 0.5 0.5 0.5', 'unreadable', '4 numbers instead of class cx cy w h'),
        ('0 0.5 0.5 0.5 0.5 0.9', 'unreadable', '6 numbers'),
        ('0 0.5 0.5 x 0.5', 'unreadable', "'x' is no number"),
        ('0.5 0.5 0.5 0.5 0.5', 'unreadable', '0.5 is no class'),
        ('-1 0.5 0.5 0.5 0.5', 'unreadable', '-1 is no class'),
        ('2 0.5 0.5 0.5 0.5', 'class', 'class 2 is not one of the 2'),
        ('0 0.5 0.5 nan 0.5', 'not_finite', 'nan'),
        ('0 0.5 0.5 -0.5 0.5', 'reversed', ''),
        ('0 0.5 0.5 0 0.5', 'empty', ''),
        ('0 1.5 0.5 0.5 0.5', 'outside', ''),
        ('0 50 50 20 20', 'outside', ''),  # in pixels
        ('0 0.9 0.5 0.5 0.5', 'border', ''),
    ],
)
def test_faults_name_the_line(tmp_path, line, kind, reason):
    write(tmp_path)
    text(tmp_path / 'classes.txt', 'Dog\ncat\n')
    path = text(tmp_path / 'labels' / 'b.txt', f'\n{line}\n')
    boxes = read_boxes(tmp_path)
    ((found, count, (fault,)),) = check_part(boxes.parts[0], boxes.classes).items()
    assert (found, count, fault.where) == (kind, 1, f'{path}: line 2')
    assert reason in fault.reason


def test_labels_without_pictures_are_counted(tmp_path):
    write(tmp_path)
    text(tmp_path / 'classes.txt', 'Dog\ncat\n')
    text(tmp_path / 'labels' / 'gone.txt', A)
    assert read_boxes(tmp_path).left_out.as_dict()['unlisted']['count'] == 1


@pytest.mark.parametrize(
    'description, message',
    [
        ('train: images\nnames: 5\n', 'names must be a list'),
        ('train: images\nnames: {0: a, 2: b}\n', 'names must have the keys 0 to 1'),
        ('train: elsewhere\nnames: [a]\n', "there is no 'elsewhere'"),
        ('train: [images]\nnames: [a]\n', 'a split must be one folder'),
        ('train: images\nnames: [a, ""]\n', 'the name of class 1 is empty'),
        ('train: images\nnames: [!!python/object:os.system a]\n', 'tag|names|no known'),
    ],
)
def test_damaged_descriptions(tmp_path, description, message):
    write(tmp_path)
    text(tmp_path / 'data.yaml', description)
    with pytest.raises(DataError, match=message):
        read_boxes(tmp_path / 'data.yaml')


def test_names_are_needed(tmp_path):
    write(tmp_path)
    with pytest.raises(UsageError, match='name the classes'):
        read_boxes(tmp_path)
