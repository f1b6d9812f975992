"""The commands on pictures with boxes: pack, list, check, stats, convert, draw, and what they refuse."""

import json

import cv2
import numpy as np
import pytest
from box_files import pictures, rows, text
from checks import assert_one_line

from gluon_cbam.data.boxes.formats import read_boxes
from gluon_cbam.data.boxes.records import BoxRecords

TABLE = 'path,class,xmin,ymin,xmax,ymax\na.jpg,Dog,1,2,30,40\na.jpg,cat,0,0,64,48\nb.png\nc.jpg,Dog,4,5,9,29\n'


@pytest.fixture
def source(tmp_path):
    pictures(tmp_path / 'set')
    text(tmp_path / 'set' / 'train.csv', TABLE)
    return tmp_path / 'set'


@pytest.fixture
def packed(source, tmp_path, cbam_here):
    assert cbam_here('data', 'pack', source, tmp_path / 'rec').returncode == 0
    return tmp_path / 'rec' / 'train.rec'


def value_of(process):
    assert process.returncode in (0, 4), process.stderr
    return json.loads(process.stdout)


def test_pack(source, tmp_path, cbam_here):
    value = value_of(cbam_here('data', 'pack', source, tmp_path / 'rec', '--json'))
    assert (value['format'], value['classes']) == ('csv', ['Dog', 'cat'])
    assert value['files'][0]['records'] == 3
    assert (value['files'][0]['boxes'], value['files'][0]['without_boxes']) == (3, 1)
    records = BoxRecords(tmp_path / 'rec' / 'train.rec')
    assert (records.classes, records.counts.tolist()) == (2, [2, 0, 1])
    assert rows(read_boxes(tmp_path / 'rec')) == rows(read_boxes(source))  # the names are those of train.lst


def test_pack_resizes_boxes_with_their_pictures(source, tmp_path, cbam_here):
    assert cbam_here('data', 'pack', source, tmp_path / 'rec', '--resize', 24).returncode == 0
    records = BoxRecords(tmp_path / 'rec' / 'train.rec')
    assert records.size_of(0) == records.stated_size(0) == (24, 32)
    assert records.boxes_of(0).corners.tolist() == [[0.5, 1, 15, 20], [0, 0, 32, 24]]
    assert records.boxes_of(0).areas.tolist() == [14.5 * 19, 32 * 24]


def test_pictures_of_other_formats_get_their_ending(tmp_path, cbam_here):
    folder = tmp_path / 'set'
    pictures(folder, ['a.jpg', 'b.png'])
    cv2.imwrite(str(folder / 'x.tif'), cv2.imread(str(folder / 'b.png')))
    (folder / 'b.jpg').write_bytes((folder / 'b.png').read_bytes())
    text(folder / 'train.csv', 'x.tif,Dog,1,2,3,4\nb.jpg,Dog,1,2,3,5\na.jpg,Dog,1,2,3,6\n')
    value = value_of(cbam_here('data', 'pack', folder, tmp_path / 'rec', '--json'))
    assert value['files'][0]['converted'] == 1
    assert list(rows(read_boxes(tmp_path / 'rec'))['train']) == ['x.png', 'b.png', 'a.jpg']
    assert cbam_here('data', 'convert', tmp_path / 'rec', tmp_path / 'voc', '--to', 'voc').returncode == 0
    for path in (tmp_path / 'voc' / 'JPEGImages').iterdir():
        assert path.read_bytes().startswith({'.png': b'\x89PNG', '.jpg': b'\xff\xd8'}[path.suffix])


def test_pictures_that_exif_data_turn(tmp_path, cbam_here):
    from PIL import Image

    exif = Image.Exif()
    exif[0x0112] = 6
    (tmp_path / 'val').mkdir()
    Image.fromarray(np.zeros((30, 50, 3), np.uint8)).save(tmp_path / 'val' / 'a.jpg', exif=exif)
    value = {'images': [{'id': 1, 'file_name': 'a.jpg', 'height': 30, 'width': 50}], 'annotations': []}
    value['categories'] = [{'id': 1, 'name': 'a'}]
    path = text(tmp_path / 'val.json', json.dumps(value))
    line = assert_one_line(cbam_here('data', 'pack', path, tmp_path / 'rec'), 4)
    assert '30 x 50 pixels, as its EXIF data turn it, but 50 x 30 in' in line
    value['images'][0].update(height=50, width=30)
    text(path, json.dumps(value))
    assert cbam_here('data', 'pack', path, tmp_path / 'rec').returncode == 0


def test_pack_splits_by_picture(tmp_path, cbam_here):
    lines = []
    for number in range(10):
        picture = np.full((20, 20, 3), 20 * number, np.uint8)
        cv2.imwrite(str(tmp_path / f'{number}.png'), picture)
        lines += [f'{number}.png,{name},1,2,3,{number + 4}' for name in 'abc']
    text(tmp_path / 'boxes.csv', '\n'.join(lines))
    command = ('data', 'pack', tmp_path / 'boxes.csv', tmp_path / 'rec', '--val-ratio', '0.3')
    assert cbam_here(*command).returncode == 0
    names = {split: list(found) for name in ('train', 'val') for split, found in rows(
        read_boxes(tmp_path / 'rec' / f'{name}.rec')).items()}  # fmt: skip
    assert [len(names[split]) for split in ('train', 'val')] == [7, 3]
    assert sorted(names['train'] + names['val']) == [f'{number}.png' for number in range(10)]
    for name in ('train', 'val'):
        for image in (
            read_boxes(tmp_path / 'rec' / f'{name}.rec').parts[0].columns
        ):  # the boxes are those of the picture
            assert image.boxes.corners[:, 3].tolist() == [int(image.name[0]) + 4] * 3
    first = (tmp_path / 'rec' / 'val.rec').read_bytes()
    assert cbam_here(*command, '--force').returncode == 0
    assert (tmp_path / 'rec' / 'val.rec').read_bytes() == first
    assert cbam_here(*command, '--force', '--seed', 1).returncode == 0
    assert (tmp_path / 'rec' / 'val.rec').read_bytes() != first


def test_pack_refuses_options_for_other_images(source, tmp_path, cbam_here):
    process = cbam_here('data', 'pack', source, tmp_path / 'rec', '--format', 'csv', '--all-labels')
    assert '--format csv has boxes: leave out --all-labels' in assert_one_line(process, 2)


def test_list_and_pack_of_the_list(source, tmp_path, cbam_here):
    value = value_of(cbam_here('data', 'list', source, tmp_path / 'lists' / 'all.lst', '--json'))
    assert [(each['images'], each['boxes']) for each in value['lists']] == [(3, 3)]
    process = cbam_here('data', 'pack', tmp_path / 'lists' / 'all.lst', tmp_path / 'rec', '--root', source, '--json')
    assert value_of(process)['format'] == 'lst'
    assert rows(read_boxes(tmp_path / 'rec' / 'all.rec'))['all'] == rows(read_boxes(source))['train']


def test_check_of_records(packed, cbam_here):
    process = cbam_here('data', 'check', packed)
    assert process.returncode == 0
    assert 'detection records, 2 classes\ntrain: 3 pictures, 3 boxes, 1 without: ok' in process.stdout
    assert cbam_here('data', 'check', packed, '--classes', 1).returncode == 4
    assert cbam_here('data', 'check', packed, '--all-labels').returncode == 0  # as labels of any other task


def write_labels(path, labels):
    from records import encoded, photo

    from gluon_cbam.data.records.recordio import RecordWriter

    path.parent.mkdir(parents=True, exist_ok=True)
    with RecordWriter(path) as writer:
        for number, label in enumerate(labels):
            writer.write(label, encoded(photo(20, 20, number)))
    return path


GOOD = [0, 0.1, 0.1, 0.5, 0.5]


@pytest.mark.parametrize(
    'objects, kind, where',
    [
        ([GOOD, [1, 0.5, 0.1, 0.2, 0.5]], 'unreadable', 'object 1: the corners'),
        ([GOOD, [1, 0.1, 0.1, float('nan'), 0.5]], 'unreadable', 'object 1: class 1'),
        ([GOOD, [-2, 0.1, 0.1, 0.4, 0.5]], 'unreadable', 'object 1: -2 is no class'),
        ([GOOD, [1, 1.1, 0.1, 1.4, 0.5]], 'outside', 'object 1'),
        ([GOOD, [1, 0.1, 0.1, 0.10001, 0.5]], 'empty', 'object 1'),
        ([GOOD, [7, 0.1, 0.1, 0.2, 0.5]], 'class', 'object 1'),
    ],
)
def test_check_of_wrong_records(tmp_path, objects, kind, where, cbam_here):
    label = [2, 5, *(value for row in objects for value in row)]
    path = write_labels(tmp_path / 'a.rec', [[2, 5, *GOOD], label, [2, 5, *GOOD]])
    text(tmp_path / 'classes.txt', 'a\nb\n')
    process = cbam_here('data', 'check', path, '--json')
    assert process.returncode == 4
    (part,) = json.loads(process.stdout)['boxes'][0]['parts']
    assert (part['faults'][kind]['count'], part['boxes']) == (1, 4 if kind != 'unreadable' else 3)
    fault = part['faults'][kind]['first'][0]
    assert f'{path}: record 1 at offset ' in fault['where']
    assert where in fault['where'] + ': ' + fault['reason']


def test_check_of_a_source(source, cbam_here):
    assert cbam_here('data', 'check', source).returncode == 0
    (source / 'c.jpg').write_bytes((source / 'a.jpg').read_bytes()[:300])
    (source / 'a.png').write_bytes((source / 'b.png').read_bytes())
    text(source / 'train.csv', TABLE + 'a.png,Dog,50,30,70,39\na.jpg,Dog,1,2,30,40\na.jpg,Dog,70,50,80,60\n')
    process = cbam_here('data', 'check', source, '--json')
    assert process.returncode == 4
    (found,) = json.loads(process.stdout)['boxes']
    counts = {kind: row['count'] for kind, row in found['parts'][0]['faults'].items()}
    assert counts == {'picture': 1, 'outside': 1, 'border': 1, 'repeated': 1}
    assert (found['equal_pictures']['pictures'], found['equal_pictures']['across']) == (1, 0)
    printed = cbam_here('data', 'check', source).stdout
    assert 'train.csv: line 8: xmin, ymin, xmax, ymax = 70, 50, 80, 60 in a picture of 64 x 48' in printed


def test_a_folder_of_both_kinds_is_not_read_in_part(packed, digits, tmp_path, cbam_here):
    for name in ('val.rec', 'val.idx'):
        packed.with_name(name).write_bytes((digits / name).read_bytes())
    line = assert_one_line(cbam_here('data', 'convert', packed.parent, tmp_path / 'out', '--to', 'coco'), 4)
    assert '360 annotations that are no box' in line
    assert 'val.rec: record 0 at offset 0: has 1 label, as records of classification' in line


def test_check_of_both_kinds_is_refused(packed, source, digits, cbam_here):
    process = cbam_here('data', 'check', packed, digits / 'val.rec')
    assert 'check them apart' in assert_one_line(process, 2)


def test_stats(source, packed, cbam_here):
    for each in (source, packed):
        square, wide = (
            value_of(cbam_here('data', 'stats', each, '--anchors', 1, '--image-size', size, '--json'))['parts']['train']
            for size in ('100', '100,200')
        )
        ((width, height),) = square['anchors']['sizes']
        assert wide['anchors']['sizes'][0] == pytest.approx([2 * width, height], abs=0.2)
        assert (square['anchors']['image_size'], wide['anchors']['image_size']) == (100, [100, 200])
        part = value_of(cbam_here('data', 'stats', each, '--anchors', 2, '--json'))['parts']['train']
        assert (part['pictures'], part['empty'], part['boxes']) == (3, 1, 3)
        assert part['classes'] == [
            {'name': 'Dog', 'boxes': 2, 'pictures': 2}, {'name': 'cat', 'boxes': 1, 'pictures': 1},
        ]  # fmt: skip
        assert part['width'] == {'min': 5, 'median': 29, 'max': 64}
        assert part['by_area'] == {'small': 1, 'medium': 2, 'large': 0}
        assert len(part['anchors']['sizes']) == 2


def test_convert(source, tmp_path, cbam_here):
    value = value_of(cbam_here('data', 'convert', source, tmp_path / 'voc', '--to', 'voc', '--json'))
    assert (value['from'], value['to'], value['not_kept']) == ('csv', 'voc', {})
    assert rows(read_boxes(tmp_path / 'voc')) == rows(read_boxes(source))
    text(source / 'train.csv', TABLE.replace('0,0,64,48', '0,0,64,zero'))
    line = assert_one_line(cbam_here('data', 'convert', source, tmp_path / 'coco', '--to', 'coco'), 4)
    assert "train.csv: line 3: 'zero' is no number" in line
    assert not (tmp_path / 'coco').exists()


def test_draw(source, tmp_path, cbam_here):
    value = value_of(cbam_here('data', 'draw', source, tmp_path / 'drawn', '--count', 2, '--side', 320, '--json'))
    assert len(value['drawn']) == 2
    for entry in value['drawn']:
        assert max(cv2.imread(entry['file']).shape) == 320
    text(tmp_path / 'set2' / 'train.csv', 'grey.png,Dog,10,20,30,40\n')
    cv2.imwrite(str(tmp_path / 'set2' / 'grey.png'), np.full((50, 50, 3), 128, np.uint8))
    value = value_of(cbam_here('data', 'draw', tmp_path / 'set2', tmp_path / 'two', '--side', 500, '--json'))
    colored = np.abs(np.diff(cv2.imread(value['drawn'][0]['file']).astype(int), axis=2)).max(axis=2) > 20
    rows_, columns = np.nonzero(colored)
    assert np.allclose([columns.min(), columns.max(), rows_.max()], [100, 300, 400], atol=4)


@pytest.mark.parametrize(
    'command',
    [
        ('train', '--network', 'cbamnet_tiny', '--data-train', '{}', '--data-val', '{}', '--save-dir', '{}.run'),
        ('train', '--network', 'cbamnet_tiny', '--data-train', '{}', '--data-val', '{}', '--save-dir', '{}.run',
         '--label-index', '0', '--classes', '10'),
        ('validate', '--network', 'cbamnet_tiny', '--pretrained', '--data-val', '{}'),
    ],
    ids=['train', 'with an index', 'validate'],
)  # fmt: skip
def test_classification_refuses_boxes(packed, command, cbam_here):
    line = assert_one_line(cbam_here(*(part.format(packed) for part in command)), 4)
    assert 'train.rec has boxes, and no classes of whole images: give --task detection' in line


def test_boxes_are_not_taken_from_classification(digits, tmp_path, cbam_here):
    process = cbam_here('data', 'convert', digits / 'val.rec', tmp_path / 'out', '--to', 'coco')
    assert 'is of no known format of boxes' in assert_one_line(process, 2)
    process = cbam_here('data', 'stats', digits / 'val.rec', '--anchors', 3)
    assert 'has no boxes' in assert_one_line(process, 2)
    with pytest.raises(Exception, match='has 1 label, as records of classification'):
        BoxRecords(digits / 'val.rec')


def test_names_of_a_list_of_other_records_are_refused(packed, cbam_here):
    lines = packed.with_suffix('.lst').read_text().split('\n')
    lines[0] = lines[0].replace('a.jpg', 'renamed.jpg')
    packed.with_suffix('.lst').write_text('\n'.join(lines))
    assert list(rows(read_boxes(packed))['train']) == ['renamed.jpg', 'b.png', 'c.jpg']
    first, second = (line.split('\t') for line in lines[:2])
    lines[:2] = ['\t'.join([first[0], *second[1:]]), '\t'.join([second[0], *first[1:]])]
    packed.with_suffix('.lst').write_text('\n'.join(lines))
    line = assert_one_line(cbam_here('data', 'check', packed), 4)
    assert 'train.lst lists other records than those of' in line
    packed.with_suffix('.lst').unlink()
    assert list(rows(read_boxes(packed))['train']) == ['train_000000.jpg', 'train_000001.png', 'train_000002.jpg']


def test_shapes(tmp_path, cbam_here):
    command = ('data', 'shapes', tmp_path / 'shapes', '--boxes', '--train', 5, '--val', 3)
    assert cbam_here(*command).returncode == 0
    process = cbam_here('data', 'convert', tmp_path / 'shapes', tmp_path / 'coco', '--to', 'coco', '--json')
    assert [part['pictures'] for part in value_of(process)['parts']] == [5, 3]
    assert rows(read_boxes(tmp_path / 'coco')) == rows(read_boxes(tmp_path / 'shapes'))


def test_check_reads_the_pictures(tmp_path, cbam_here):
    """COCO's JSON states the sizes, so that its reader opens no picture."""
    pictures(tmp_path / 'val')
    (tmp_path / 'val' / 'd.jpg').write_bytes((tmp_path / 'val' / 'a.jpg').read_bytes())
    sizes = {'a.jpg': (64, 48), 'b.png': (60, 41), 'c.jpg': (90, 30), 'd.jpg': (64, 48), 'gone.jpg': (9, 9)}
    images = [
        {'id': number, 'file_name': name, 'width': width, 'height': height}
        for number, (name, (width, height)) in enumerate(sizes.items())
    ]
    value = {'images': images, 'annotations': [], 'categories': [{'id': 1, 'name': 'a'}]}
    path = text(tmp_path / 'val.json', json.dumps(value))
    data = (tmp_path / 'val' / 'c.jpg').read_bytes()
    (tmp_path / 'val' / 'c.jpg').write_bytes(data[: len(data) // 2])  # its header is intact
    for command, picture in (((), 1), (('--no-decode', '--duplicates'), 0)):
        process = cbam_here('data', 'check', path, '--json', *command)
        assert process.returncode == 4
        (found,) = json.loads(process.stdout)['boxes']
        counts = {kind: row['count'] for kind, row in found['parts'][0]['faults'].items()}
        assert counts == {'missing': 1, 'size': 1, **({'picture': 1} if picture else {})}
        assert found['equal_pictures']['pictures'] == 1
        assert found['equal_pictures']['first'] == [[str(tmp_path / 'val' / name) for name in ('a.jpg', 'd.jpg')]]
