"""Conversion of pictures with boxes: through all formats and back, read by others, and what is lost or refused."""

import json

import numpy as np
import pytest
from box_files import pictures, rows, text

from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.data.boxes.formats import read_boxes
from gluon_cbam.data.preparation.box_converting import TARGETS, convert_boxes
from gluon_cbam.data.preparation.box_packing import PackOptions

FLAGGED = [('bbox', [3.25, 1.5, 20, 30.01], 400.5, 1, 0), ('bbox', [0, 0, 64, 48], 3072, 0, 1)]


@pytest.fixture
def source(tmp_path):
    """COCO with gaps in its ids, a crowd, a difficult box, areas of masks, and pictures without objects."""
    for split, first in (('train', 50), ('val', 900)):
        pictures(tmp_path / 'coco' / split)
        random = np.random.RandomState(first)
        annotations = [
            {'id': 100 + crowd, 'image_id': first + 7, 'category_id': 9, 'bbox': box, 'area': area, 'iscrowd': crowd,
             'difficult': difficult}
            for _, box, area, crowd, difficult in FLAGGED
        ]  # fmt: skip
        for number in range(5):
            x, y, width, height = np.round(random.uniform(1, 14, 4), 2).tolist()
            annotations.append(
                {'id': number + 2, 'image_id': first, 'category_id': 4, 'bbox': [x, y, width, height]}
            )  # fmt: skip
        images = [
            {'id': first + 7, 'file_name': 'a.jpg', 'height': 48, 'width': 64},
            {'id': first, 'file_name': 'b.png', 'height': 40, 'width': 60},
            {'id': first + 3, 'file_name': 'c.jpg', 'height': 30, 'width': 90},
        ]
        value = {'images': images, 'annotations': annotations}
        value['categories'] = [{'id': 9, 'name': 'Big & <small>'}, {'id': 4, 'name': 'été, "x"'}]
        text(tmp_path / 'coco' / 'annotations' / f'instances_{split}.json', json.dumps(value))
    return tmp_path / 'coco'


def without_flags(found, *flags):
    """The rows of a set without some flags."""
    keep = [flag not in flags for flag in ('difficult', 'crowd')]
    return {
        split: {
            name: [
                (label, corners, *(flag and kept for flag, kept in zip(more, keep))) for label, corners, *more in boxes
            ]
            for name, boxes in images.items()
        }
        for split, images in found.items()
    }


@pytest.mark.parametrize('target', TARGETS)
def test_what_is_written_is_read_as_it_was(source, tmp_path, target):
    done = convert_boxes(source, tmp_path / 'out', target)
    ids = {'ids of categories': 2}
    before, after = read_boxes(source), read_boxes(tmp_path / 'out')
    assert after.format == target
    assert after.classes == before.classes
    lost = {
        'voc': {'crowd flags': 2, 'areas of masks': 2, 'ids of pictures': 6, **ids},
        'yolo': {'crowd flags': 2, 'difficult flags': 2, 'areas of masks': 2, 'ids of pictures': 6, **ids},
        'csv': {'ids of pictures': 6, **ids},
    }.get(target, {})
    assert done.lost == lost
    expected = without_flags(rows(before), *(name.split()[0] for name in lost if 'flags' in name))
    if target == 'voc':  # the pictures of both splits are in one folder: their names would be the same
        expected = {
            split: {f'{split}_{name}': boxes for name, boxes in images.items()} for split, images in expected.items()
        }
    assert rows(after) == expected
    for old, new in zip(before.parts, after.parts):
        assert new.columns.sizes.tolist() == old.columns.sizes.tolist()
        assert [new.pictures.picture(number).read() for number in range(3)] == [
            old.pictures.picture(number).read() for number in range(3)
        ]
        if 'ids of pictures' not in lost:
            assert new.columns.ids.tolist() == old.columns.ids.tolist()
        assert after.category_ids == (None if lost else (4, 9))
        if 'areas of masks' not in lost:
            assert np.allclose(new.columns.boxes.areas, old.columns.boxes.areas, rtol=1e-6)


def test_a_round_through_all_formats_keeps_the_corners(source, tmp_path):
    at = source
    for number, target in enumerate(['rec', 'voc', 'yolo', 'csv', 'rec', 'coco']):
        convert_boxes(at, tmp_path / f'{number}', target)
        at = tmp_path / f'{number}'
    for old, new in zip(read_boxes(source).parts, read_boxes(at).parts):
        assert np.abs(new.columns.boxes.corners - old.columns.boxes.corners).max() < 1e-6
        assert new.columns.boxes.classes.tolist() == old.columns.boxes.classes.tolist()


def test_pycocotools_reads_what_is_written(source, tmp_path):
    coco = pytest.importorskip('pycocotools.coco')
    convert_boxes(source, tmp_path / 'out', 'coco')
    path = 'annotations/instances_val.json'
    mine, theirs = coco.COCO(str(tmp_path / 'out' / path)), coco.COCO(str(source / path))
    assert sorted(mine.getImgIds()) == sorted(theirs.getImgIds())
    for number in theirs.getImgIds():
        old, new = (c.loadAnns(c.getAnnIds(imgIds=[number])) for c in (theirs, mine))
        assert np.allclose([each['bbox'] for each in new], [each['bbox'] for each in old])
        assert [each['iscrowd'] for each in new] == [each.get('iscrowd', 0) for each in old]


def test_one_split(source, tmp_path):
    done = convert_boxes(source, tmp_path / 'out', 'csv', splits=['val'])
    assert [part.name for part in done.parts] == ['val']
    assert [path.name for path in (tmp_path / 'out').glob('*.csv')] == ['val.csv']


def test_annotations_alone(source, tmp_path):
    convert_boxes(source, tmp_path / 'out', 'coco', pictures=False)
    assert sorted(path.name for path in (tmp_path / 'out').rglob('*')) == [
        'annotations', 'instances_train.json', 'instances_val.json',
    ]  # fmt: skip
    with pytest.raises(UsageError, match='records hold their pictures'):
        convert_boxes(source, tmp_path / 'rec', 'rec', pictures=False)


def test_a_folder_that_is_not_empty_is_left_alone(source, tmp_path):
    text(tmp_path / 'out' / 'mine.txt', 'x')
    with pytest.raises(UsageError, match='not empty'):
        convert_boxes(source, tmp_path / 'out', 'voc')
    assert [path.name for path in (tmp_path / 'out').iterdir()] == ['mine.txt']


def break_set(source, **changes):
    path = source / 'annotations' / 'instances_train.json'
    value = json.loads(path.read_text())
    value['annotations'][1].update(changes)
    path.write_text(json.dumps(value))


@pytest.mark.parametrize('target', TARGETS)
def test_wrong_boxes_are_refused_or_left_out(source, tmp_path, target):
    break_set(source, bbox=[10, 10, -5, 5], id=77)
    with pytest.raises(DataError, match=r'1 boxes with exchanged corners .*annotation 77.*--skip-bad'):
        convert_boxes(source, tmp_path / 'out', target)
    assert not (tmp_path / 'out').exists()
    done = convert_boxes(source, tmp_path / 'out', target, options=PackOptions(skip_bad=True))
    assert [part.boxes for part in done.parts] == [6, 7]
    assert done.faults.as_dict()['reversed']['count'] == 1


@pytest.mark.parametrize('target', TARGETS)
@pytest.mark.parametrize('kind', ['missing', 'picture', 'size'])
def test_wrong_pictures_are_refused_or_left_out(source, tmp_path, target, kind):
    picture = source / 'train' / 'b.png'
    if kind == 'missing':
        picture.unlink()
    elif kind == 'picture':
        picture.write_bytes(b'no picture')
    else:
        picture.write_bytes((source / 'train' / 'a.jpg').read_bytes())
    text = {'missing': 'No such file', 'picture': 'no JPEG', 'size': '64 x 48 pixels, but 60 x 40 in '}[kind]
    with pytest.raises(DataError, match=f'b.png: .*{text}'):
        convert_boxes(source, tmp_path / 'made' / 'out', target)
    assert not (tmp_path / 'made').exists()
    done = convert_boxes(source, tmp_path / 'out', target, options=PackOptions(skip_bad=True))
    assert [(part.pictures, part.boxes) for part in done.parts] == [(2, 2), (3, 7)]
    assert done.faults.as_dict()[kind]['count'] == 1
    assert len(read_boxes(tmp_path / 'out').parts[0].columns) == 2


def test_names_that_would_be_the_same(tmp_path):
    for folder in ('x', 'y'):
        pictures(tmp_path / 'set' / folder)
    text(tmp_path / 'set' / 'train.csv', 'x/a.jpg,Dog,1,2,3,4\ny/a.jpg,Dog,1,2,3,5\n')
    convert_boxes(tmp_path / 'set', tmp_path / 'voc', 'voc')
    assert sorted(path.name for path in (tmp_path / 'voc' / 'JPEGImages').iterdir()) == ['x_a.jpg', 'y_a.jpg']
    convert_boxes(tmp_path / 'set', tmp_path / 'yolo', 'yolo')
    assert sorted(rows(read_boxes(tmp_path / 'yolo'))['train']) == ['x/a.jpg', 'y/a.jpg']
    (tmp_path / 'set' / 'x' / 'a.png').write_bytes((tmp_path / 'set' / 'x' / 'b.png').read_bytes())
    text(tmp_path / 'set' / 'train.csv', 'x/a.jpg,Dog,1,2,3,4\nx/a.png,Dog,1,2,3,5\n')
    with pytest.raises(DataError, match='two pictures would get one name'):
        convert_boxes(tmp_path / 'set', tmp_path / 'other', 'yolo')


def test_pictures_without_ids_have_the_same_numbers_in_records_and_json(tmp_path):
    """Detections of one are scored against the other by these numbers."""
    for split in ('train', 'val'):
        pictures(tmp_path / 'set' / split)
        table = ''.join(f'{split}/{name},Dog,1,2,3,{row + 4}\n' for row, name in enumerate(['c.jpg', 'a.jpg', 'b.png']))
        text(tmp_path / 'set' / f'{split}.csv', table)
    (tmp_path / 'set' / 'val' / 'a.jpg').write_bytes(b'')  # left out
    text(tmp_path / 'set' / 'val.csv', table)
    skipping = PackOptions(skip_bad=True, shuffle=True)
    for target in ('rec', 'coco'):
        convert_boxes(tmp_path / 'set', tmp_path / target, target, options=skipping)
    found = [
        {part.name: dict(zip(part.columns.names, part.columns.ids.tolist())) for part in read_boxes(path).parts}
        for path in (tmp_path / 'rec', tmp_path / 'coco')
    ]
    assert found[0] == found[1]
    assert found[0] == {'train': {'c.jpg': 1, 'a.jpg': 2, 'b.png': 3}, 'val': {'c.jpg': 1, 'b.png': 2}}
