"""Reading COCO's JSON: gaps and orders of ids, crowds, empty pictures, places of pictures, and what is wrong."""

import json
import re

import numpy as np
import pytest
from box_files import SIZES, pictures, rows, text

from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.data.boxes.faults import wrong_boxes
from gluon_cbam.data.boxes.formats import read_boxes, recognize
from gluon_cbam.data.boxes.reading import ReadOptions
from gluon_cbam.data.boxes.sets import check_part

RLE = {'size': [48, 64], 'counts': [0, 3072]}


def images():
    return [
        {'id': 70, 'file_name': 'a.jpg', 'height': 48, 'width': 64},
        {'id': 9, 'coco_url': 'http://images.cocodataset.org/val2017/b.png', 'height': 40, 'width': 60},
        {'id': 3, 'file_name': 'c.jpg', 'height': 30, 'width': 90},
    ]


def annotations():
    return [
        {'id': 5, 'image_id': 9, 'category_id': 44, 'bbox': [1, 2, 3.5, 4], 'area': 7.5, 'iscrowd': 0,
         'segmentation': [[1, 2, 3, 4, 5, 6]]},
        {'id': 6, 'image_id': 70, 'category_id': 2, 'bbox': [0, 0, 64, 48], 'iscrowd': 1, 'area': 10,
         'segmentation': RLE},
        {'id': 8, 'image_id': 9, 'category_id': 90, 'bbox': [10, 20, 5, 6], 'area': 30},
    ]  # fmt: skip


CATEGORIES = [{'id': 90, 'name': 'zebra'}, {'id': 2, 'name': 'Dog'}, {'id': 44, 'name': 'cat'}]


def write(path, **changes):
    value = {'annotations': annotations(), 'images': images(), 'categories': CATEGORIES, 'info': {}, **changes}
    return text(path, json.dumps({name: item for name, item in value.items() if item is not None}))


@pytest.fixture
def source(tmp_path):
    pictures(tmp_path / 'val2017')
    write(tmp_path / 'annotations' / 'instances_val2017.json')
    return tmp_path


def test_boxes_classes_and_ids(source):
    assert recognize(source).name == 'coco'
    boxes = read_boxes(source)
    assert boxes.classes == ('Dog', 'cat', 'zebra')  # by id: 2, 44, 90
    assert rows(boxes) == {'val': {
        'a.jpg': [('Dog', (0, 0, 64, 48), False, True)],
        'b.png': [('cat', (1, 2, 4.5, 6), False, False), ('zebra', (10, 20, 15, 26), False, False)],
        'c.jpg': [],
    }}  # fmt: skip
    columns = boxes.parts[0].columns
    assert columns.ids.tolist() == [70, 9, 3]
    assert columns.boxes.areas.tolist() == [10, 7.5, 30]
    assert {image.name: (image.height, image.width) for image in columns} == SIZES
    assert boxes.lost == {}
    assert boxes.category_ids == (2, 44, 90)
    assert columns.boxes.segmented == 2
    assert not check_part(boxes.parts[0], boxes.classes).counts


@pytest.mark.parametrize('place', ['', 'images', 'images/val2017', '../val2017'])
def test_places_of_pictures(tmp_path, place):
    folder = tmp_path / 'set'
    pictures(folder / place)
    path = write(folder / 'instances_val2017.json')
    assert (read_boxes(path).parts[0].root / 'a.jpg').is_file()


def test_pictures_of_another_folder(tmp_path):
    path = write(tmp_path / 'any.json')
    pictures(tmp_path / 'elsewhere' / 'deep')
    with pytest.raises(UsageError, match='a.jpg is in none of the usual places .* --root'):
        read_boxes(path)
    boxes = read_boxes(path, options=ReadOptions(root=tmp_path / 'elsewhere' / 'deep'))
    assert boxes.parts[0].name == 'any'


def test_the_folder_of_the_annotations(source):
    assert rows(read_boxes(source / 'annotations')) == rows(read_boxes(source))


def test_roboflows_folders(tmp_path):
    for split in ('train', 'valid'):
        pictures(tmp_path / split)
        write(tmp_path / split / '_annotations.coco.json')
    boxes = read_boxes(tmp_path)
    assert [(part.name, part.root.name) for part in boxes.parts] == [('train', 'train'), ('val', 'valid')]


def test_sizes_that_are_not_stated_are_those_of_the_pictures(source):
    without = [{key: value for key, value in image.items() if key not in ('height', 'width')} for image in images()]
    write(source / 'annotations' / 'instances_val2017.json', images=without)
    assert {image.name: (image.height, image.width) for image in read_boxes(source).parts[0].columns} == SIZES


def test_given_classes(source):
    names = text(source / 'names.txt', 'zebra\nother\nDog\n')
    boxes = read_boxes(source, options=ReadOptions(classes_file=names))
    assert boxes.classes == ('zebra', 'other', 'Dog')
    assert boxes.parts[0].columns.boxes.classes.tolist() == [2, 0]
    (kind, count, (fault,)) = next(boxes.parts[0].faults.items())
    assert (kind, count) == ('class', 1)
    assert fault.where.endswith('instances_val2017.json: annotation 5')
    assert fault.reason == "category_id 44, 'cat' is unknown"


def test_pictures_that_no_annotation_names_are_counted(source):
    (source / 'val2017' / 'd.jpg').write_bytes(b'')
    assert read_boxes(source).left_out.as_dict() == {'unannotated': {'count': 1, 'first': 'd.jpg'}}


@pytest.mark.parametrize(
    'change, kind, reason',
    [
        ({'image_id': 71}, 'missing', 'image_id 71 is unknown'),
        ({'category_id': 3}, 'class', 'category_id 3 is unknown'),
        ({'bbox': [1, 2, 3]}, 'unreadable', r'bbox \[1, 2, 3\], area 7.5'),
        ({'bbox': None}, 'unreadable', 'bbox None'),
        ({'area': 'x'}, 'unreadable', "area 'x'"),
        ({'bbox': [1, 2, 0, 4]}, 'empty', 'xmin, ymin, xmax, ymax = 1, 2, 1, 6 in a picture of 60 x 40'),
        ({'bbox': [5, 2, -3, 4]}, 'reversed', '= 5, 2, 2, 6'),
        ({'bbox': [60, 2, 3, 4]}, 'outside', '= 60, 2, 63, 6'),
        ({'bbox': [59, 2, 3, 4], 'segmentation': None}, 'border', '= 59, 2, 62, 6'),
        ({'bbox': [1e308, 2, 1e308, 4]}, 'not_finite', 'inf'),
        (
            {'bbox': [1, 2, 1e39, 4], 'segmentation': None},
            'not_finite',
            r'1e\+39',
        ),  # infinite in the float32 of a record
        ({'area': -7.5}, 'area', 'area -7.5'),
        ({'area': 1e39}, 'area', r'area 1e\+39'),  # infinite in the float32 of a record
        ({'segmentation': [[1, 2, 3, 4]]}, 'mask', 'no list of x, y of three points or more'),
        ({'segmentation': [[1, 2, 3, 4, 5, 6, 7]]}, 'mask', 'no list of x, y of three points or more'),
        (
            {'segmentation': [[1, 2, 3, 4, 5, 6], [60, 2, 70, 2, 70, 9]]},
            'mask_outside',
            '60, 2, 70, 9, its box .* 60 x',
        ),
        ({'segmentation': [[1, 2, 3, 4, 5, 6], [-9, 2, 0, 2, 0, 9]]}, 'mask_outside', 'bounds -9, 2, 0, 9'),
        ({'segmentation': [[1, 2, 3, 40.5, 5, 6]]}, 'mask_border', 'bounds 1, 2, 5, 40.5'),
        ({'segmentation': [[5, 2, -2, 4, 5, 6]]}, 'mask_border', 'bounds -2, 2, 5, 6'),
        ({'segmentation': [[20, 20, 30, 20, 30, 30], [40, 4, 41, 5, 40, 6]]}, 'mask_apart', r'its box .* 1, 2, 4.5, 6'),
    ],
)
def test_faults_name_the_annotation(source, change, kind, reason):
    changed = annotations()
    changed[0].update(change)
    path = write(source / 'annotations' / 'instances_val2017.json', annotations=changed)
    boxes = read_boxes(source)
    ((found, count, (fault,)),) = check_part(boxes.parts[0], boxes.classes).items()
    assert (found, count, fault.where) == (kind, 1, f'{path}: annotation 5')
    assert re.search(reason, fault.reason), fault.reason


@pytest.mark.parametrize(
    'change',
    [
        {'area': 0},
        {'segmentation': [[1, 2, 60.005, 4, 5, -0.005]]},  # rounding
        {'segmentation': [[20, 20, 30, 20, 30, 30], [4, 4, 41, 5, 40, 6]]},  # a part behind another object
    ],
)
def test_what_is_usual_is_no_fault(source, change):
    changed = annotations()
    changed[0].update(change)
    write(source / 'annotations' / 'instances_val2017.json', annotations=changed)
    boxes = read_boxes(source)
    assert not check_part(boxes.parts[0], boxes.classes).counts


def test_polygons_outside_have_no_pixels_for_pycocotools(source):
    coco = pytest.importorskip('pycocotools.coco')
    random = np.random.RandomState(1)
    corners = random.uniform([-70, -50], [70, 50], (200, 1, 2)) + [[0, 0], [0, 12], [12, 12], [12, 0]]
    changed = [
        {**annotations()[0], 'id': number, 'bbox': [0, 0, 60, 40], 'segmentation': [points.ravel().tolist()]}
        for number, points in enumerate(corners)
    ]
    path = write(source / 'annotations' / 'instances_val2017.json', annotations=changed)
    theirs, (part,) = coco.COCO(str(path)), read_boxes(source).parts
    theirs.imgs[9].update(height=40, width=60)
    found = wrong_boxes(part.columns, 3)
    empty = np.array([not theirs.annToMask(theirs.anns[number]).any() for number in range(len(changed))])
    assert 20 < empty.sum() < 180
    refused = found['mask_outside'] | found['mask_apart']
    assert not (~empty & refused).any(), 'a polygon with pixels is refused'
    nearly = np.abs(corners.reshape(-1, 4, 2)[:, [0, 2]]).min(axis=(1, 2)) < 1  # less than a pixel inside
    assert not (empty & ~refused & ~nearly).any()


@pytest.mark.parametrize('name', ['a.jpg', './a.jpg'])
def test_two_entries_of_a_picture_are_refused_with_their_ids(source, name):
    again = [*images(), {**images()[0], 'id': 8, 'file_name': name}]
    path = write(source / 'annotations' / 'instances_val2017.json', images=again)
    with pytest.raises(DataError, match=f"^{path}: images 70 and 8 are both of the file 'a.jpg': give them one entry"):
        read_boxes(source)


def test_repeated_boxes_are_found(source):
    again = [*annotations(), {**annotations()[0], 'id': 77}, {**annotations()[0], 'id': 78, 'category_id': 2}]
    write(source / 'annotations' / 'instances_val2017.json', annotations=again)
    boxes = read_boxes(source)
    ((kind, count, (fault,)),) = check_part(boxes.parts[0], boxes.classes).items()
    assert (kind, count) == ('repeated', 1)
    assert fault.where.endswith('annotation 77')


def test_equal_ids_of_annotations_are_warned_of(source):
    write(
        source / 'annotations' / 'instances_val2017.json', annotations=[*annotations(), {**annotations()[2], 'id': 5}]
    )
    found = read_boxes(source).parts[0].faults
    assert (dict(found.counts), found.wrong) == ({'id': 1}, 0)


@pytest.mark.parametrize(
    'changes, message',
    [
        ({'annotations': None}, 'it has no list annotations'),
        ({'categories': []}, 'it has no categories'),
        ({'categories': [*CATEGORIES, {'id': 2, 'name': 'x'}]}, r'categories\[3\]: the id 2 occurs twice'),
        ({'categories': [*CATEGORIES, {'id': 1, 'name': 'Dog'}]}, "two categories are named 'Dog'"),
        ({'categories': [{'id': 1, 'name': 'a\nb'}]}, 'cannot be a line of classes.txt'),
        ({'images': [*images(), images()[0]]}, 'an id of an image occurs twice'),
        ({'images': [{'id': 1, 'file_name': '../../etc/passwd', 'height': 1, 'width': 1}]}, 'no path of a picture'),
        ({'images': [{'id': 1, 'file_name': '/etc/passwd', 'height': 1, 'width': 1}]}, 'no path of a picture'),
        ({'images': [{'id': 'x', 'file_name': 'a.jpg'}]}, r'images\[0\]: id must be a whole number'),
        ({'images': [{'id': 2**70, 'file_name': 'a.jpg'}]}, r'images\[0\]: id must be a whole number'),
        ({'images': [7]}, r'images\[0\]: id must be a whole number, got 7'),
        ({'annotations': [{'id': 1, 'image_id': 3, 'category_id': 2, 'bbox': [1, 2, 3, 4], 'iscrowd': 2}]}, 'flags'),
    ],
)
def test_damage_names_the_file_and_the_item(source, changes, message):
    path = write(source / 'annotations' / 'instances_val2017.json', **changes)
    with pytest.raises(DataError, match=message) as caught:
        read_boxes(source)
    assert str(path) in str(caught.value)


def test_pycocotools_reads_the_same(source):
    coco = pytest.importorskip('pycocotools.coco')
    theirs = coco.COCO(str(source / 'annotations' / 'instances_val2017.json'))
    boxes = read_boxes(source)
    names = [theirs.cats[number]['name'] for number in sorted(theirs.getCatIds())]
    assert list(boxes.classes) == names
    for image in boxes.parts[0].columns:
        found = theirs.loadAnns(theirs.getAnnIds(imgIds=[image.id]))
        assert [boxes.classes[label] for label in image.boxes.classes] == [
            theirs.cats[each['category_id']]['name'] for each in found
        ]
        sides = image.boxes.corners.copy()
        sides[:, 2:] -= sides[:, :2]
        assert sides.tolist() == [each['bbox'] for each in found]
