"""Polygons and masks of objects: read, kept in records, converted, checked, described and drawn; beside pycocotools."""

import json

import cv2
import numpy as np
import pytest
from box_files import pictures, text
from checks import assert_one_line

from gluon_cbam.common.errors import DataError
from gluon_cbam.data.boxes import run_lengths, segmentations
from gluon_cbam.data.boxes.formats import read_boxes
from gluon_cbam.data.boxes.segmentation_files import segmentations_path
from gluon_cbam.data.preparation.box_converting import convert_boxes
from gluon_cbam.data.preparation.box_packing import PackOptions, pack_boxes

POLYGONS = [[10.5, 4, 30, 6.25, 22.125, 30], [40, 40, 50, 40, 50, 47, 40, 47]]


def random_mask(height, width, seed):
    """A smooth random mask, with some pixels at the edges."""
    noise = np.random.RandomState(seed).rand(5, 5).astype(np.float32)
    return (cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC) > 0.5).astype(np.uint8)


def counts_of(pixels):
    """Counts of zeros and ones column by column, by a plain loop."""
    counts, last = [0], 0
    for pixel in pixels.T.ravel().tolist():
        if pixel != last:
            counts.append(0)
            last = pixel
        counts[-1] += 1
    return counts


@pytest.fixture
def source(tmp_path):
    """COCO with gaps in the ids of its categories: polygons, a crowd with a mask, and an object without either."""
    folder = tmp_path / 'coco'
    pictures(folder)
    mask = {'size': [48, 64], 'counts': counts_of(random_mask(48, 64, 3))}
    annotations = [
        {'id': 5, 'image_id': 70, 'category_id': 9, 'bbox': [10, 4, 40, 43], 'area': 331.0625,
         'segmentation': POLYGONS},
        {'id': 6, 'image_id': 70, 'category_id': 4, 'bbox': [0, 0, 64, 48], 'area': 1500, 'iscrowd': 1,
         'segmentation': mask},
        {'id': 7, 'image_id': 71, 'category_id': 9, 'bbox': [3, 3, 20, 20], 'area': 400, 'segmentation': []},
    ]  # fmt: skip
    images = [
        {'id': 70, 'file_name': 'a.jpg', 'height': 48, 'width': 64},
        {'id': 71, 'file_name': 'b.png', 'height': 40, 'width': 60},
    ]
    categories = [{'id': 9, 'name': 'cat'}, {'id': 4, 'name': 'ant'}]
    text(folder / 'train.json', json.dumps({'images': images, 'annotations': annotations, 'categories': categories}))
    return folder / 'train.json'


@pytest.mark.parametrize(('height', 'width'), [(1, 1), (48, 64), (300, 7)])
def test_counts_are_those_of_pycocotools(height, width):
    mask = pytest.importorskip('pycocotools.mask')
    for seed in range(20):
        pixels = random_mask(height, width, seed) if seed else np.ones((height, width), np.uint8)
        value = {'size': [height, width], 'counts': counts_of(pixels)}
        theirs = mask.encode(np.asfortranarray(pixels))
        kept = segmentations.normalized(value)
        assert json.loads(kept) == {'size': [height, width], 'counts': theirs['counts'].decode()}
        assert segmentations.normalized(json.loads(kept)) == kept
        assert np.array_equal(segmentations.bitmap(kept, height, width), pixels)
        assert run_lengths.uncompressed(theirs['counts'].decode()).tolist() == value['counts']


@pytest.mark.parametrize(
    ('value', 'reason'),
    [
        ([[1, 2, 3, 4]], 'polygon .* is no list of x, y'), ([[1, 2, 3, 4, 5, None]], 'no finite number'),
        ('x', 'neither'),
        ([5], 'is no list'), ({'counts': 'x'}, 'size null of a mask'), ({'size': [2, 2]}, 'counts null'),
        ({'size': [2, 2], 'counts': [1, 2]}, 'of 3 pixels, its size is 2 x 2'),
        ({'size': [2, 2], 'counts': [5, -1]}, 'are no numbers of pixels'),
        ({'size': [2, 2], 'counts': '\x7f'}, 'are not compressed ones'), ({'size': [2, 2], 'counts': 'P'}, 'cut off'),
    ],
)  # fmt: skip
def test_what_is_no_segmentation(value, reason):
    with pytest.raises(ValueError, match=reason.replace('null', '(null|None)')):
        segmentations.normalized(value)


def loaded(path):
    """The annotations of a file by image and category, without the ids of annotations, and the categories."""
    value = json.loads(path.read_text())
    annotations = [
        {key: each[key] for key in each if key not in ('id', 'segmentation')} for each in value['annotations']
    ]
    return annotations, value['categories'], [each.get('segmentation') or None for each in value['annotations']]


def test_nothing_is_lost_through_records_and_back(source, tmp_path):
    for number, target in enumerate(('rec', 'rec', 'coco')):
        done = convert_boxes(source if number == 0 else tmp_path / str(number - 1), tmp_path / str(number), target)
        assert done.lost == {}
    before = loaded(source)
    after = loaded(tmp_path / '2' / 'annotations' / 'instances_train.json')
    assert sorted(map(str, before[1])) == sorted(map(str, after[1]))
    keys = ('image_id', 'category_id', 'bbox', 'area')
    assert [[each[key] for key in keys] for each in after[0]] == [[each[key] for key in keys] for each in before[0]]
    assert after[2][0] == POLYGONS
    assert segmentations.normalized(after[2][1]) == segmentations.normalized(before[2][1])
    assert after[2][2] is None


def test_pycocotools_finds_the_same_masks(source, tmp_path):
    coco = pytest.importorskip('pycocotools.coco')
    convert_boxes(source, tmp_path / 'rec', 'rec')
    convert_boxes(tmp_path / 'rec', tmp_path / 'out', 'coco')
    mine = coco.COCO(str(tmp_path / 'out' / 'annotations' / 'instances_train.json'))
    theirs = coco.COCO(str(source))
    old, new = (each.loadAnns(each.getAnnIds(imgIds=[70])) for each in (theirs, mine))
    for one, other in zip(old, new):
        assert np.array_equal(theirs.annToMask(one), mine.annToMask(other))


@pytest.mark.parametrize('target', ['voc', 'yolo', 'csv'])
def test_other_formats_count_what_they_lose(source, tmp_path, target):
    lost = convert_boxes(source, tmp_path / 'out', target).lost
    assert (lost['masks'], lost['ids of categories']) == (2, 2)


def test_records_that_are_resized(source, tmp_path):
    pack_boxes(source, tmp_path / 'rec', options=PackOptions(resize=24))
    (part,) = read_boxes(tmp_path / 'rec').parts
    polygons, mask, none = part.columns.boxes.segmentations
    assert json.loads(polygons) == [[number / 2 for number in polygon] for polygon in POLYGONS]
    expected = random_mask(48, 64, 3)[::2, ::2]
    assert np.array_equal(segmentations.bitmap(mask, 24, 32), expected)
    assert none == ''


def test_segmentations_of_other_records_are_refused(source, tmp_path):
    pack_boxes(source, tmp_path / 'rec')
    beside = segmentations_path(tmp_path / 'rec' / 'train.rec')
    kept = beside.read_bytes()
    value = json.loads(source.read_text())
    value['annotations'][0]['bbox'][0] += 1
    source.write_text(json.dumps(value))
    pack_boxes(source, tmp_path / 'rec')
    beside.write_bytes(kept)
    with pytest.raises(DataError, match='of another record than that with the id 70: pack the records again'):
        read_boxes(tmp_path / 'rec')
    value['annotations'] = [{**each, 'segmentation': []} for each in value['annotations']]
    value['categories'] = [{'id': 1, 'name': 'ant'}, {'id': 2, 'name': 'cat'}]
    for each in value['annotations']:
        each['category_id'] = 1
    source.write_text(json.dumps(value))
    pack_boxes(source, tmp_path / 'rec')
    assert not beside.exists()
    assert read_boxes(tmp_path / 'rec').parts[0].columns.boxes.segmented == 0


def test_wrong_segmentations_are_named(source, tmp_path, cbam_here):
    value = json.loads(source.read_text())
    value['annotations'][1]['segmentation']['size'] = [64, 48]
    value['annotations'][2]['segmentation'] = [[1, 2, 3]]
    source.write_text(json.dumps(value))
    done = cbam_here('data', 'check', source)
    assert done.returncode == 4
    assert '2 segmentations that are damaged, or of another size than their picture' in done.stdout + done.stderr
    assert 'annotation 6: a mask of 48 x 64 in a picture of 64 x 48' in done.stdout + done.stderr
    assert 'annotation 7: polygon [1, 2, 3] is no list of x, y of three points or more' in done.stdout + done.stderr
    assert 'annotation 7' in assert_one_line(cbam_here('data', 'pack', source, tmp_path / 'rec'), 4)
    assert cbam_here('data', 'pack', source, tmp_path / 'rec', '--skip-bad').returncode == 0
    (part,) = read_boxes(tmp_path / 'rec').parts
    assert (len(part.columns.boxes), part.columns.boxes.segmented) == (2, 1), (
        'a box without its damaged polygon is kept'
    )


@pytest.mark.parametrize('command', [('pack',), ('convert', '--to', 'coco')])
def test_wrong_areas_and_polygons_are_refused(source, tmp_path, cbam_here, command):
    value = json.loads(source.read_text())
    value['annotations'][0]['segmentation'] = [[70, 4, 90, 4, 90, 30]]
    value['annotations'][2]['area'] = -400
    source.write_text(json.dumps(value))
    name, *options = command
    line = assert_one_line(cbam_here('data', name, source, tmp_path / 'out', *options), 4)
    assert f'1 areas that are negative or not finite ({source}: annotation 7: area -400)' in line
    assert f'({source}: annotation 5: a polygon has the bounds 70, 4, 90, 30, its box xmin' in line
    assert not (tmp_path / 'out').exists()
    done = cbam_here('data', 'check', source, '--json')
    assert done.returncode == 4
    faults = json.loads(done.stdout)['boxes'][0]['parts'][0]['faults']
    assert {kind: fault['count'] for kind, fault in faults.items()} == {'area': 1, 'mask_outside': 1}


def test_they_are_counted_and_drawn(source, tmp_path, cbam_here):
    assert json.loads(cbam_here('data', 'stats', source, '--json').stdout)['parts']['train']['segmented'] == 2
    assert cbam_here('data', 'draw', source, tmp_path / 'drawn', '--count', 2).returncode == 0
    drawn = cv2.imread(str(tmp_path / 'drawn' / 'train_000000.png'))
    value = json.loads(source.read_text())
    source.write_text(json.dumps({**value, 'annotations': [{**a, 'segmentation': []} for a in value['annotations']]}))
    assert cbam_here('data', 'draw', source, tmp_path / 'plain', '--count', 2).returncode == 0
    plain = cv2.imread(str(tmp_path / 'plain' / 'train_000000.png'))
    changed = (drawn != plain).any(axis=2).mean()
    assert 0.2 < changed < 0.9
