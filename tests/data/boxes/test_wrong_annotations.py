"""Annotations that gave wrong records without a word: each is refused, counted or warned of now."""

import json

import pytest
from box_files import SIZES, pictures, text

from gluon_cbam.common.errors import DataError
from gluon_cbam.data.boxes.formats import read_boxes
from gluon_cbam.data.boxes.sets import check_part

BOX = {'id': 1, 'image_id': 7, 'category_id': 1, 'bbox': [1, 2, 30, 40]}
CORNERS = '<bndbox><xmin>1</xmin><ymin>1</ymin><xmax>9</xmax><ymax>9</ymax></bndbox>'


def coco(folder, split='train', ids=(1, 2), **changes):
    """A file of one picture and one annotation."""
    pictures(folder / split, ['a.jpg'])
    image = dict(zip(('height', 'width'), SIZES['a.jpg']), id=7, file_name='a.jpg')
    categories = [{'id': number, 'name': name} for number, name in zip(ids, ('cat', 'dog'))]
    value = {'images': [image], 'annotations': [{**BOX, 'category_id': ids[0], **changes}], 'categories': categories}
    return text(folder / 'annotations' / f'instances_{split}.json', json.dumps(value))


def counts(source):
    """The faults of the only split."""
    found = read_boxes(source)
    (part,) = found.parts
    return dict(check_part(part, found.classes).counts)


@pytest.mark.parametrize(
    'changes',
    [{'bbox': '1234'}, {'bbox': dict.fromkeys('1234', 0)}, {'bbox': ['1', '2', '3', '4']}, {'bbox': [True] * 4},
     {'area': '500'}, {'area': True}],
)  # fmt: skip
def test_boxes_and_areas_that_are_no_numbers(tmp_path, changes):
    assert counts(coco(tmp_path, **changes)) == {'unreadable': 1}


def test_corners_in_shares_of_the_picture_are_warned_of(tmp_path):
    assert counts(coco(tmp_path, bbox=[0.1, 0.2, 0.3, 0.4])) == {'tiny': 1}
    assert counts(coco(tmp_path, bbox=[1, 2, 1, 1])) == {}


def test_masks_without_a_pixel_are_warned_of(tmp_path):
    pixels = SIZES['a.jpg'][0] * SIZES['a.jpg'][1]
    for lengths, expected in (([pixels], {'mask_empty': 1}), ([0, pixels], {}), ([pixels - 1, 1], {})):
        path = coco(tmp_path, segmentation={'size': list(SIZES['a.jpg']), 'counts': lengths})
        assert counts(path) == expected


def test_rotations_are_counted_as_not_kept(tmp_path):
    assert read_boxes(coco(tmp_path, attributes={'rotation': 30.0})).lost == {'rotations of boxes': 1}
    assert read_boxes(coco(tmp_path, attributes={'rotation': 0.0, 'occluded': True})).lost == {}


def test_other_files_of_annotations_are_counted(tmp_path):
    coco(tmp_path)
    text(tmp_path / 'annotations' / 'captions_train.json', '{}')
    assert read_boxes(tmp_path).left_out.as_dict()['unlisted']['count'] == 1


def test_ids_of_categories_that_differ_between_splits_are_not_those_of_the_set(tmp_path):
    coco(tmp_path)
    coco(tmp_path, 'val', ids=(0, 1))
    found = read_boxes(tmp_path)
    assert [part.columns.boxes.classes.tolist() for part in found.parts] == [[0], [0]]
    assert found.category_ids is None
    coco(tmp_path, 'val')
    assert read_boxes(tmp_path).category_ids == (1, 2)


def yolo(folder, description='names: [x, y]\ntrain: images/train\n'):
    pictures(folder / 'images' / 'train', ['a.jpg', 'c.jpg'])
    text(folder / 'labels' / 'train' / 'a.txt', '0 .5 .5 .2 .2\n')
    text(folder / 'data.yaml', description)
    return folder


@pytest.mark.parametrize(
    'description, message',
    [
        ('names: [x, x]\ntrain: images/train\n', "the classes 0 and 1 are both named 'x'"),
        ('names: [x, y]\nnc: 3\ntrain: images/train\n', 'data.yaml: nc is 3, but 2 classes are named'),
        ('names: [yes, no]\ntrain: images/train\n', 'texts in quotes where they are yes or no'),
        ('names: [x]\ntrain: images/train\nval: images/train\nvalid: images/train\n', 'val and valid are both for'),
    ],
)
def test_descriptions_of_yolo_that_contradict_themselves(tmp_path, description, message):
    with pytest.raises(DataError, match=message):
        read_boxes(yolo(tmp_path, description))


def test_a_split_of_yolo_under_another_usual_name_is_read(tmp_path):
    found = read_boxes(yolo(tmp_path, 'names: [x]\nnc: 1\ntrain: images/train\nvalid: images/train\n'))
    assert [part.name for part in found.parts] == ['train', 'val']


def test_pictures_of_yolo_with_one_file_of_labels(tmp_path):
    source = yolo(tmp_path)
    (source / 'images' / 'train' / 'c.jpg').rename(source / 'images' / 'train' / 'a.jpeg')
    with pytest.raises(DataError, match="the pictures 'a.jpeg' and 'a.jpg' have the same file of labels"):
        read_boxes(source)


def test_a_split_of_yolo_without_any_file_of_labels(tmp_path):
    source = yolo(tmp_path)
    assert counts(source) == {}, 'a picture without a file of labels has no objects'
    labels = source / 'labels' / 'train' / 'a.txt'
    labels.rename(labels.with_suffix('.TXT'))
    assert counts(source) == {'missing': 1}
    assert read_boxes(source).left_out.as_dict()['unlisted'] == {'count': 1, 'first': str(labels.with_suffix('.TXT'))}
    text(labels, '')
    assert counts(source) == {}


def voc(folder, **annotations):
    pictures(folder / 'JPEGImages', ['a.jpg'])
    for stem, content in annotations.items():
        text(folder / 'Annotations' / f'{stem}.xml', f'<annotation>{content}</annotation>')
    return folder


@pytest.mark.parametrize('stems', [('x', 'y'), ('a', 'y')])
def test_two_files_of_pascal_voc_for_one_picture(tmp_path, stems):
    annotation = f'<filename>a.jpg</filename><object><name>p</name>{CORNERS}</object>'
    first, second = (f'{stem}.xml' for stem in stems)
    with pytest.raises(DataError, match=f"{first} and .*{second} are both of the picture 'a.jpg'"):
        read_boxes(voc(tmp_path, **dict.fromkeys(stems, annotation)))


@pytest.mark.parametrize(
    'content',
    [
        f'<object><name>p</name><name>q</name>{CORNERS}</object>',
        f'<object><name>p</name>{CORNERS}{CORNERS}</object>',
        f'<objects><object><name>p</name>{CORNERS}</object></objects>',
    ],
)
def test_objects_of_pascal_voc_that_would_be_lost(tmp_path, content):
    assert counts(voc(tmp_path, a=content)) == {'unreadable': 1}


def test_names_with_accents_that_are_coded_in_two_ways(tmp_path):
    content = ''.join(f'<object><name>{name}</name>{CORNERS}</object>' for name in ('caf\u00e9', 'cafe\u0301'))
    with pytest.raises(DataError, match="both named 'caf.*', with accents that are coded in another way"):
        read_boxes(voc(tmp_path, a=content))


def test_a_header_that_names_a_column_twice(tmp_path):
    pictures(tmp_path, ['a.jpg'])
    path = text(tmp_path / 'train.csv', 'path,class,xmin,xmin,ymin,xmax,ymax\na.jpg,x,1,9,2,30,40\n')
    with pytest.raises(DataError, match="train.csv: the header names the column 'xmin' twice"):
        read_boxes(path)
