"""Each layout gives records with the masks that were written, and the names of its classes."""

import json

import mask_files
import numpy as np
import pytest

from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.data.class_masks.cityscapes import CLASSES as CITYSCAPES
from gluon_cbam.data.class_masks.formats import read_masks
from gluon_cbam.data.class_masks.records import MaskRecords
from gluon_cbam.data.class_masks.voc import CLASSES as VOC
from gluon_cbam.data.preparation.box_packing import PackOptions
from gluon_cbam.data.preparation.mask_lists import list_masks
from gluon_cbam.data.preparation.mask_packing import pack_masks


def packed(source, folder, **options):
    """The masks of each file that packing writes, and the names of the classes."""
    done = pack_masks(source, folder, **options)
    records = {file.path.stem: MaskRecords(file.path) for file in done.files}
    masks = {name: [each.load(number)[1] for number in range(len(each))] for name, each in records.items()}
    return masks, (folder / 'classes.txt').read_text().splitlines()


def same(found, names, change=lambda mask: mask):
    return len(found) == len(names) and all(
        np.array_equal(mask, change(mask_files.mask_of(name))) for mask, name in zip(found, names)
    )


def test_folders(tmp_path):
    source = mask_files.folders(tmp_path / 'set')
    masks, classes = packed(source, tmp_path / 'rec')
    assert same(masks['train'], 'abc') and classes == ['0', '1', '2']
    (source / 'classes.txt').write_text('sky\nland\nsea\ncity\n')
    masks, classes = packed(source, tmp_path / 'named', val_ratio=0.34)
    assert (len(masks['train']), len(masks['val'])) == (2, 1) and classes == ['sky', 'land', 'sea', 'city']


def test_names_of_masks_may_end_in_upper_case(tmp_path):
    source = mask_files.folders(tmp_path / 'set')
    for path in [*source.glob('masks/*.png'), *source.glob('images/*.jpg')]:
        path.rename(path.with_suffix(path.suffix.upper()))
    assert same(packed(source, tmp_path / 'rec')[0]['train'], 'abc')
    (source / 'images' / 'b.JPG').unlink()
    with pytest.raises(DataError, match=r'b\.PNG: there is no picture of this name'):
        packed(source, tmp_path / 'more')


def test_folders_of_splits(tmp_path):
    for split in ('train', 'val'):
        mask_files.picture(tmp_path / 'a' / 'images' / split / 'x' / 'a.png', 'a')
        mask_files.gray(tmp_path / 'a' / 'masks' / split / 'x' / 'a.png', mask_files.mask_of('a'))
        mask_files.picture(tmp_path / 'b' / split / 'images' / 'a.png', 'a')
        mask_files.gray(tmp_path / 'b' / split / 'masks' / 'a.png', mask_files.mask_of('a'))
    for name in 'ab':
        masks, _ = packed(tmp_path / name, tmp_path / f'rec_{name}')
        assert same(masks['train'], 'a') and same(masks['val'], 'a')


def test_pascal_voc(tmp_path):
    source = mask_files.voc(tmp_path / 'VOC2012')
    masks, classes = packed(source.parent, tmp_path / 'rec')
    assert same(masks['train'], 'ab') and same(masks['val'], 'c')
    assert classes == list(VOC) and len(classes) == 21
    masks, _ = packed(source, tmp_path / 'both', splits=('trainval',))
    assert same(masks['trainval'], 'abc')
    with pytest.raises(UsageError, match="no split 'tset'"):
        packed(source, tmp_path / 'none', splits=('tset',))
    (source / 'class_names.txt').write_text('_background_\nleft\nright\n')
    assert packed(source, tmp_path / 'own')[1] == ['_background_', 'left', 'right']


def test_several_years_are_one_set(tmp_path):
    devkit = tmp_path / 'VOCdevkit'
    for year in ('VOC2007', 'VOC2012'):
        mask_files.voc(devkit / year)
    lists = devkit / 'VOC2007' / 'ImageSets' / 'Segmentation'
    (lists / 'train.txt').write_text('b\n')
    (lists / 'test.txt').write_text('a\n')
    masks, classes = packed(devkit, tmp_path / 'rec')
    assert same(masks['train'], 'bab') and same(masks['val'], 'cc') and classes == list(VOC)
    assert [each.name for each in read_masks(devkit).parts[0].examples] == [
        'VOC2007/JPEGImages/b.jpg', 'VOC2012/JPEGImages/a.jpg', 'VOC2012/JPEGImages/b.jpg'
    ]  # fmt: skip
    assert same(packed(devkit, tmp_path / 'test', splits=('test',))[0]['test'], 'a')
    with pytest.raises(UsageError, match="no split 'tset': did you mean test"):
        packed(devkit, tmp_path / 'none', splits=('tset',))
    with pytest.raises(UsageError, match='has 2 years with pictures of their own: leave out --root'):
        packed(devkit, tmp_path / 'none', root=devkit)
    (devkit / 'VOC2012' / 'classes.txt').write_text('one\ntwo\nthree\n')
    with pytest.raises(DataError, match='VOC2012 has other classes than .*VOC2007'):
        packed(devkit, tmp_path / 'none')
    (devkit / 'classes.txt').write_text('four\nfive\nsix\n')
    assert packed(devkit, tmp_path / 'named')[1] == ['four', 'five', 'six']


def test_a_list_that_names_a_picture_twice_is_refused(tmp_path):
    source = mask_files.voc(tmp_path / 'VOC2012')
    (source / 'ImageSets' / 'Segmentation' / 'train.txt').write_text('a\nb\na\n')
    with pytest.raises(DataError, match=r"train\.txt: 'a' is listed twice"):
        packed(source, tmp_path / 'rec')
    assert same(packed(source, tmp_path / 'val', splits=('val',))[0]['val'], 'c')


def test_classes_of_pascal_voc_are_gluoncvs():
    data = pytest.importorskip('gluoncv.data')
    theirs = ['background' if name == 'background' else name for name in data.VOCSegmentation.CLASSES]
    assert [{'airplane': 'aeroplane', 'motorcycle': 'motorbike', 'potted-plant': 'pottedplant', 'tv': 'tvmonitor'}.get(
        name, name) for name in theirs] == list(VOC)  # fmt: skip


def test_cityscapes(tmp_path):
    source = mask_files.cityscapes(tmp_path / 'city')
    masks, classes = packed(source, tmp_path / 'rec')
    train_ids = np.array([0, 18, 255], np.uint8)  # of road, bicycle and what is no class

    def expected(mask):
        return np.where(mask == 255, 255, train_ids[np.minimum(mask, 2)])

    assert same(masks['train'], 'ab', expected) and same(masks['val'], 'c', expected)
    assert classes == list(CITYSCAPES) and len(classes) == 19


def test_values_that_are_no_ids_of_cityscapes_are_refused(tmp_path):
    source = mask_files.cityscapes(tmp_path / 'city')
    path = next((source / 'gtFine' / 'train').rglob('*_labelIds.png'))
    mask_files.gray(path, np.full(mask_files.SIZES[path.name[0]], 40, np.uint8))
    with pytest.raises(DataError, match='values 40'):
        packed(source, tmp_path / 'rec')


def test_cityscapes_with_classes_of_training(tmp_path):
    mask_files.picture(tmp_path / 'leftImg8bit' / 'train' / 'bonn' / 'a_leftImg8bit.png', 'a')
    mask_files.gray(tmp_path / 'gtFine' / 'train' / 'bonn' / 'a_gtFine_labelTrainIds.png', mask_files.mask_of('a'))
    assert same(packed(tmp_path, tmp_path / 'rec')[0]['train'], 'a')


def test_ids_of_cityscapes():
    """The ids of training of the labels -1 to 33, as GluonCV's ``CitySegmentation`` has them."""
    known = [
        -1,
        -1,
        -1,
        -1,
        -1,
        -1,
        -1,
        -1,
        0,
        1,
        -1,
        -1,
        2,
        3,
        4,
        -1,
        -1,
        -1,
        5,
        -1,
        6,
        7,
        8,
        9,
        10,
        11,
        12,
        13,
        14,
        15,
    ]
    known += [-1, -1, 16, 17, 18]
    ids = {label: number for number, label in enumerate(CITYSCAPES.values())}
    assert [ids.get(label, -1) for label in range(-1, 34)] == known


def coco_mask(coco, image, size, values):
    """The mask of a picture by pycocotools: the first object has a pixel, crowds what is left."""
    mask, free = np.zeros(size, np.uint8), np.ones(size, bool)
    annotations = coco.loadAnns(coco.getAnnIds(imgIds=image))
    for each in sorted(annotations, key=lambda each: each['iscrowd']):
        inside = coco.annToMask(each).astype(bool) & free
        mask[inside] = 255 if each['iscrowd'] else values[each['category_id']]
        free &= ~inside
    return mask


def test_coco_beside_pycocotools(tmp_path):
    source = mask_files.coco(tmp_path / 'coco')
    masks, classes = packed(source, tmp_path / 'rec', form='coco')
    assert classes == ['background', 'cat', 'dog']
    assert {0, 1, 2, 255} == set(np.unique(masks['val'][0]).tolist())
    assert not masks['val'][2].any(), 'a picture without objects is background'
    COCO = pytest.importorskip('pycocotools.coco').COCO
    path = source / 'annotations' / 'instances_val.json'
    value = json.loads(path.read_text())
    for image, size in zip(value['images'], mask_files.SIZES.values()):
        image['height'], image['width'] = size
    path.write_text(json.dumps(value))
    coco = COCO(str(path))
    for found, image, size in zip(masks['val'], (5, 6, 9), mask_files.SIZES.values()):
        assert np.array_equal(found, coco_mask(coco, image, size, {2: 1, 7: 2}))


def stated_sizes(source, sizes):
    path = source / 'annotations' / 'instances_val.json'
    value = json.loads(path.read_text())
    for image, (height, width) in zip(value['images'], sizes):
        image.update(height=height, width=width)
    path.write_text(json.dumps(value))
    return source


def test_coco_of_pictures_that_were_resized(tmp_path):
    """The regions are in pixels of the pictures that the file states."""
    right = list(mask_files.SIZES.values())
    expected, _ = packed(mask_files.coco(tmp_path / 'none'), tmp_path / 'a', form='coco')
    masks, _ = packed(stated_sizes(mask_files.coco(tmp_path / 'same'), right), tmp_path / 'b', form='coco')
    assert all(np.array_equal(*pair) for pair in zip(masks['val'], expected['val']))
    (height, width), *others = right
    source = stated_sizes(mask_files.coco(tmp_path / 'other'), [(2 * height, 2 * width), *others])
    message = (
        f'1 masks of another size than their picture .*{2 * width} x {2 * height} pixels, but {width} x {height} of'
    )
    with pytest.raises(DataError, match=message):
        pack_masks(source, tmp_path / 'rec', form='coco')
    with pytest.raises(DataError, match='a size of -1 x 5 pixels'):
        pack_masks(stated_sizes(source, [(5, -1)]), tmp_path / 'rec', form='coco')
    assert not (tmp_path / 'rec').exists()


def test_coco_annotations_that_are_no_regions(tmp_path):
    source = mask_files.coco(tmp_path / 'coco')
    path = source / 'annotations' / 'instances_val.json'
    value = json.loads(path.read_text())
    for changes, reason in (
        ({'segmentation': None}, 'annotation 2: its segmentation is'),
        ({'segmentation': [[1, 2, 3]]}, 'annotation 2: a polygon has three corners'),
        ({'segmentation': {'size': [5, 5], 'counts': [25]}}, 'annotation 2: run lengths of a picture'),
        (
            {'segmentation': [[1, 2, 9, 2, 9, 9], [70, 0, 75, 0, 75, 5]]},
            'annotation 2: .* 70, 0, 75, 5 is outside of a',
        ),
        ({'segmentation': [['1', '2', '9', '2', '9', '9']]}, 'annotation 2: its segmentation is'),
        ({'iscrowd': '0'}, "the flag iscrowd is 0 or 1, got '0'"),
        ({'category_id': 99}, 'annotation 2: category_id 99 is unknown'),
        ({'image_id': 99}, 'annotation 2: its image is unknown'),
    ):
        changed = {**value, 'annotations': [{**value['annotations'][1], **changes}]}
        path.write_text(json.dumps(changed))
        with pytest.raises(DataError, match=reason):
            pack_masks(source, tmp_path / 'rec', form='coco')
        assert not (tmp_path / 'rec').exists()


def test_a_list_gives_the_records_of_its_source(tmp_path):
    source = mask_files.folders(tmp_path / 'set')
    done = list_masks(source, source / 'all.lst')
    assert (source / 'all.lst').read_text().splitlines()[1] == '1\tmasks/b.png\timages/b.jpg'
    assert [each.images for each in done.lists] == [3]
    masks, _ = packed(source / 'all.lst', tmp_path / 'rec')
    assert same(masks['all'], 'abc')
    with pytest.raises(UsageError, match='no files of classes to list'):
        list_masks(mask_files.cityscapes(tmp_path / 'city'), tmp_path / 'x.lst')


def test_records_are_packed_again_and_resized(tmp_path):
    mask_files.folders(tmp_path / 'set')
    pack_masks(tmp_path / 'set', tmp_path / 'rec')
    masks, _ = packed(tmp_path / 'rec', tmp_path / 'again')
    assert same(masks['train'], 'abc')
    masks, _ = packed(tmp_path / 'rec', tmp_path / 'small', options=PackOptions(resize=8))
    assert [mask.shape for mask in masks['train']] == [(8, 12), (8, 8), (8, 20)]
    assert all(set(np.unique(mask)) <= {0, 1, 2, 255} for mask in masks['train']), 'classes are not mixed'


def test_what_is_no_source(tmp_path):
    (tmp_path / 'empty').mkdir()
    for path, form, reason in (
        ('none', None, 'no file or folder'),
        ('empty', None, 'no known format of masks'),
        ('empty', 'voc', 'is not the layout of Pascal VOC'),
        ('empty', 'vok', "no format 'vok' of masks"),
    ):
        with pytest.raises(UsageError, match=reason):
            read_masks(tmp_path / path, form)


def test_pictures_with_one_mask_are_refused(tmp_path):
    source = mask_files.folders(tmp_path / 'set')
    picture = source / 'images' / 'b.jpg'
    picture.with_suffix('.jpeg').write_bytes(picture.read_bytes())
    with pytest.raises(DataError, match=f"{source}/images: the pictures 'b.jpeg' and 'b.jpg' have the same mask"):
        read_masks(source)
