"""Sources that hold more than one set: none of them is chosen silently."""

import json
import tarfile

import mask_files
import pytest
from box_files import SIZES, pictures, text
from checks import assert_one_line

from gluon_cbam.common.errors import UsageError
from gluon_cbam.data.boxes.formats import read_boxes
from gluon_cbam.data.class_masks.formats import read_masks

OBJECT = '<object><name>dog</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>9</xmax><ymax>9</ymax></bndbox></object>'


def coco(folder, split='train'):
    pictures(folder / split, ['a.jpg'])
    annotation = {'id': 1, 'image_id': 7, 'category_id': 1, 'bbox': [1, 2, 3, 4]}
    image = dict(zip(('height', 'width'), SIZES['a.jpg']), id=7, file_name='a.jpg')
    value = {'images': [image], 'annotations': [annotation], 'categories': [{'id': 1, 'name': 'cat'}]}
    text(folder / 'annotations' / f'instances_{split}.json', json.dumps(value))


def voc(folder):
    pictures(folder / 'JPEGImages', ['b.png'])
    text(folder / 'Annotations' / 'b.xml', f'<annotation>{OBJECT}</annotation>')


def yolo(folder, images='images/train', labels='labels/train'):
    pictures(folder / images, ['c.jpg'])
    text(folder / labels / 'c.txt', '0 0.5 0.5 0.2 0.2\n')
    text(folder / 'classes.txt', 'x\n')


def table(folder, name='train'):
    pictures(folder, ['a.jpg'])
    text(folder / f'{name}.csv', 'a.jpg,Dog,1,2,30,40\n')


def one_after_another(*makers):
    return lambda folder: [make(folder) for make in makers]


def copied(before, after):
    return lambda folder: text(folder / after, (folder / before).read_text())


INSTANCES = 'annotations/instances_train.json'
SEVERAL = {
    'two of COCO': (lambda folder: (coco(folder / 'A'), coco(folder / 'B')), "2 sets in .*A .COCO's JSON., .*B"),
    'two devkits': (
        lambda folder: (voc(folder / 'A' / 'VOC2007'), voc(folder / 'B' / 'VOC2012')),
        "2 sets in .*A .Pascal VOC's XML., .*B .Pascal VOC's XML.: give one of them",
    ),
    'deeper': (lambda folder: (voc(folder / 'A' / 'x' / 'y'), voc(folder / 'B' / 'z')), '2 sets .*A/x .*, .*B '),
    'two formats': (one_after_another(coco, voc), "COCO's JSON and Pascal VOC's XML: choose with --format coco or voc"),
    'table and XML': (one_after_another(voc, table), 'choose with --format voc or csv'),
    'two files of a split': (
        one_after_another(coco, copied(INSTANCES, 'annotations/instances_train2017.json')),
        'both for the train split',
    ),
    'a file beside the folder of annotations': (
        one_after_another(coco, copied(INSTANCES, 'instances_train.json')),
        'both for the train split',
    ),
    'two descriptions': (
        one_after_another(
            yolo,
            lambda folder: text(folder / 'data.yaml', 'names: [x]\ntrain: images/train\n'),
            lambda folder: text(folder / 'other.yaml', 'names: [y]\ntrain: images/train\n'),
        ),
        'data.yaml and .*other.yaml describe a set each',
    ),
    'two folders of a split': (
        lambda folder: (yolo(folder), yolo(folder, 'train/images', 'train/labels')),
        '.*images/train and .*train/images are both for the train split',
    ),
    'val and valid': (
        lambda folder: (yolo(folder, 'images/val', 'labels/val'), yolo(folder, 'images/valid', 'labels/valid')),
        'both for the val split',
    ),
    'two lists of classes': (
        one_after_another(yolo, lambda folder: text(folder / 'obj.names', 'y\n')),
        'classes.txt and .*obj.names name other classes',
    ),
    'two tables of a split': (
        lambda folder: (table(folder), table(folder, 'training')),
        'train.csv and .*training.csv are both for the train split',
    ),
}


def given(folder, form):
    """A folder, or a tar file of it."""
    if form == 'folder':
        return folder
    path = folder.with_suffix('.tar')
    with tarfile.open(path, 'w') as tar:
        tar.add(folder, '.')
    return path


@pytest.mark.parametrize('form', ['folder', 'tar'])
@pytest.mark.parametrize('case', SEVERAL)
def test_several_sets_are_listed_and_none_is_packed(tmp_path, cbam_here, case, form):
    make, message = SEVERAL[case]
    make(tmp_path / 'set')
    source = given(tmp_path / 'set', form)
    with pytest.raises(UsageError, match=message):
        read_boxes(source)
    line = assert_one_line(cbam_here('data', 'pack', source, tmp_path / 'rec'), 2)
    assert str(source) in line
    assert not (tmp_path / 'rec').exists()


@pytest.mark.parametrize('form', ['folder', 'tar'])
def test_the_set_that_is_named_is_read(tmp_path, form):
    for name in 'AB':
        coco(tmp_path / 'set' / name)
        voc(tmp_path / 'set' / name)
    source = given(tmp_path / 'set', form)
    (part,) = read_boxes(f'{source}/B', 'voc').parts
    assert list(part.columns.names) == ['b.png']


def test_folders_of_classes_with_sets_in_them_are_packed_as_classes_on_demand(tmp_path, cbam_here):
    coco(tmp_path / 'set' / 'cats', 'val')
    line = assert_one_line(cbam_here('data', 'pack', tmp_path / 'set', tmp_path / 'rec'), 2)
    assert f"set holds a set in its folders, {tmp_path}/set/cats (COCO's JSON): give it, or --format images" in line
    assert cbam_here('data', 'pack', tmp_path / 'set', tmp_path / 'rec', '--format', 'images').returncode == 0
    assert (tmp_path / 'rec' / 'classes.txt').read_text() == 'cats\n'


@pytest.mark.parametrize('form', ['folder', 'tar'])
@pytest.mark.parametrize('make', [coco, voc, yolo, table])
def test_a_set_in_a_folder_of_another_one_is_counted_as_left_out(tmp_path, make, form):
    make(tmp_path / 'set')
    assert read_boxes(given(tmp_path / 'set', form)).left_out.as_dict() == {}
    coco(tmp_path / 'set' / 'older')
    left_out = read_boxes(given(tmp_path / 'set', form)).left_out.as_dict()
    assert left_out == {'sets': {'count': 1, 'first': 'older/'}}


def test_years_are_no_sets_of_their_own(tmp_path):
    voc(tmp_path / 'set' / 'VOC2007')
    voc(tmp_path / 'set' / 'VOC2012')
    found = read_boxes(tmp_path / 'set')
    assert (len(found.parts[0].columns), found.left_out.as_dict()) == (2, {})


def test_several_sets_of_masks_are_refused(tmp_path):
    for name in 'AB':
        mask_files.cityscapes(tmp_path / 'set' / name)
    with pytest.raises(UsageError, match='2 sets .*A .Cityscapes., .*B .Cityscapes.: give one of them$'):
        read_masks(given(tmp_path / 'set', 'tar'))
    both = mask_files.coco(tmp_path / 'both')
    mask_files.voc(both)
    with pytest.raises(UsageError, match="layout of Pascal VOC and COCO's JSON: choose with --format voc or coco"):
        read_masks(both)
    assert read_masks(both, 'coco').format == 'coco'
    twice = mask_files.folders(tmp_path / 'twice')
    (twice / 'valid').mkdir()
    for name in ('images', 'masks'):
        (twice / name).rename(twice / 'valid' / name)
    again = mask_files.folders(tmp_path / 'again')
    (twice / 'validation').mkdir()
    for name in ('images', 'masks'):
        (again / name).rename(twice / 'validation' / name)
    with pytest.raises(UsageError, match='valid/images and .*validation/images are both for the val split'):
        read_masks(twice)
