"""Reading Pascal VOC's XML, by hand and against GluonCV."""

import shutil

import pytest
from box_files import SIZES, pictures, rows, text

from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.data.boxes.formats import read_boxes, recognize
from gluon_cbam.data.boxes.reading import ReadOptions
from gluon_cbam.data.boxes.sets import check_part
from gluon_cbam.data.preparation.box_converting import convert_boxes


def annotation(name, *objects, size=None, extra=''):
    height, width = size or SIZES[name]
    inner = ''.join(
        f'<object><name>{label}</name>{flag}<bndbox><xmin>{x1}</xmin><ymin>{y1}</ymin><xmax>{x2}</xmax>'
        f'<ymax>{y2}</ymax></bndbox></object>'
        for label, flag, x1, y1, x2, y2 in objects
    )
    size_text = f'<size><width>{width}</width><height>{height}</height><depth>3</depth></size>'
    return f'<annotation><filename>{name}</filename>{size_text}{inner}{extra}</annotation>'


DIFFICULT = '<difficult>1</difficult>'
PART = '<part><name>head</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>2</xmax><ymax>2</ymax></bndbox></part>'
A = annotation('a.jpg', ('Dog', DIFFICULT + PART, 1, 1, 64, 48), ('cat', '<difficult>0</difficult>', 2, 3, 10, 20.5))
B = annotation('b.png', ('cat', '', 5, 6, 7, 8))
C = annotation('c.jpg')


@pytest.fixture
def source(tmp_path):
    pictures(tmp_path / 'JPEGImages')
    for name, content in (('a', A), ('b', B), ('c', C)):
        text(tmp_path / 'Annotations' / f'{name}.xml', content)
    text(tmp_path / 'ImageSets' / 'Main' / 'train.txt', 'c\na\n')
    text(tmp_path / 'ImageSets' / 'Main' / 'val.txt', 'b\n')
    text(tmp_path / 'ImageSets' / 'Main' / 'Dog_train.txt', 'a 1\nc -1\n')
    return tmp_path


EXPECTED = {
    'train': {
        'c.jpg': [],
        'a.jpg': [('Dog', (0, 0, 64, 48), True, False), ('cat', (1, 2, 10, 20.5), False, False)],
    },
    'val': {'b.png': [('cat', (4, 5, 7, 8), False, False)]},
}


def test_boxes_and_classes(source):
    assert recognize(source).name == 'voc'
    boxes = read_boxes(source)
    assert boxes.classes == ('Dog', 'cat')
    assert rows(boxes) == EXPECTED
    assert not any(check_part(part, boxes.classes).counts for part in boxes.parts)


def test_classes_are_sorted_whatever_comes_first(source):
    text(source / 'Annotations' / 'c.xml', annotation('c.jpg', ('zebra', '', 1, 2, 3, 4)))
    boxes = read_boxes(source)
    assert boxes.classes == ('Dog', 'cat', 'zebra')
    assert [part.columns.boxes.classes.tolist() for part in boxes.parts] == [[2, 0, 1], [1]]


def test_a_folder_of_one_year(source, tmp_path_factory):
    outer = tmp_path_factory.mktemp('VOCdevkit')
    (outer / 'VOC2007').symlink_to(source)
    assert rows(read_boxes(outer)) == EXPECTED


def test_several_years_are_one_set(source, tmp_path_factory):
    outer = tmp_path_factory.mktemp('VOCdevkit')
    shutil.copytree(source, outer / 'VOC2007')
    shutil.copytree(source, outer / 'VOC2012')
    text(outer / 'VOC2007' / 'ImageSets' / 'Main' / 'test.txt', 'c\n')
    text(outer / 'VOC2012' / 'Annotations' / 'a.xml', annotation('a.jpg', ('aardvark', DIFFICULT, 1, 2, 3, 4)))
    boxes = read_boxes(outer)
    assert boxes.classes == ('Dog', 'aardvark', 'cat')
    found = rows(boxes)
    assert set(found) == {'train', 'val', 'test'}
    assert found['val'] == {
        f'{year}/JPEGImages/{name}': kept
        for year in ('VOC2007', 'VOC2012') for name, kept in EXPECTED['val'].items()
    }  # fmt: skip
    assert found['train'] == {
        **{f'VOC2007/JPEGImages/{name}': kept for name, kept in EXPECTED['train'].items()},
        'VOC2012/JPEGImages/c.jpg': [],
        'VOC2012/JPEGImages/a.jpg': [('aardvark', (0, 1, 3, 4), True, False)],
    }
    assert list(found['test']) == ['VOC2007/JPEGImages/c.jpg']
    (train,) = (part for part in boxes.parts if part.name == 'train')
    assert train.where(len(train.columns.boxes) - 1) == f'{outer / "VOC2012" / "Annotations" / "a.xml"}: object 0'
    assert train.pictures.picture(3).read() == (outer / 'VOC2012' / 'JPEGImages' / 'a.jpg').read_bytes()
    assert [part.name for part in read_boxes(outer, options=ReadOptions(splits=('test',))).parts] == ['test']
    with pytest.raises(UsageError, match='has 2 years with pictures of their own: leave out --root'):
        read_boxes(outer, options=ReadOptions(root=outer))
    convert_boxes(outer, outer.parent / 'one', 'voc')
    assert sum(len(part.columns) for part in read_boxes(outer.parent / 'one').parts) == 7


def test_trainval_is_used_where_train_or_val_is_missing(source):
    lists = source / 'ImageSets' / 'Main'
    text(lists / 'trainval.txt', 'a\nb\n')
    assert [part.name for part in read_boxes(source).parts] == ['train', 'val']
    (lists / 'val.txt').unlink()
    boxes = read_boxes(source)
    assert [(part.name, len(part.columns)) for part in boxes.parts] == [('trainval', 2)]
    assert boxes.left_out.as_dict() == {'unlisted': {'count': 1, 'first': 'Annotations/c.xml'}}


def test_chosen_splits(source):
    text(source / 'ImageSets' / 'Main' / 'trainval.txt', 'a\nb\n')
    boxes = read_boxes(source, options=ReadOptions(splits=('trainval', 'val')))
    assert [(part.name, len(part.columns)) for part in boxes.parts] == [('trainval', 2), ('val', 1)]
    with pytest.raises(UsageError, match="has no split 'test'"):
        read_boxes(source, options=ReadOptions(splits=('test',)))


def test_xml_beside_the_pictures(tmp_path):
    pictures(tmp_path)
    for name, content in (('a', A), ('b', B)):
        text(tmp_path / f'{name}.xml', content)
    boxes = read_boxes(tmp_path)
    assert rows(boxes) == {'train': {'a.jpg': EXPECTED['train']['a.jpg'], 'b.png': EXPECTED['val']['b.png']}}
    assert boxes.left_out.as_dict() == {'unannotated': {'count': 1, 'first': 'c.jpg'}}


def test_classes_of_a_file(source):
    text(source / 'classes.txt', 'horse\ncat\n')
    boxes = read_boxes(source)
    assert boxes.classes == ('horse', 'cat')
    assert boxes.parts[0].columns.boxes.classes.tolist() == [1]
    ((kind, count, (fault,)),) = boxes.parts[0].faults.items()
    assert (kind, count, fault.where) == ('class', 1, f'{source / "Annotations" / "a.xml"}: object 0')
    assert fault.reason.startswith("unknown class 'Dog'")
    assert read_boxes(source, options=ReadOptions(classes_file=text(source / 'mine.txt', 'cat\nDog\n'))).classes == (
        'cat', 'Dog',
    )  # fmt: skip


def test_sizes_of_zero_are_read_from_the_pictures(source):
    text(source / 'Annotations' / 'a.xml', annotation('a.jpg', size=(0, 0)))
    text(source / 'Annotations' / 'b.xml', '<annotation><filename>b.png</filename></annotation>')
    found = {image.name: (image.height, image.width) for part in read_boxes(source).parts for image in part.columns}
    assert found == SIZES


def test_the_picture_is_the_one_of_the_files_name(source):
    text(source / 'Annotations' / 'a.xml', A.replace('a.jpg', 'other.jpg'))
    assert [image.name for image in read_boxes(source).parts[0].columns] == ['c.jpg', 'a.jpg']
    (source / 'JPEGImages' / 'a.png').write_bytes((source / 'JPEGImages' / 'b.png').read_bytes())
    with pytest.raises(DataError, match=r"a.xml: a.jpg and a.png have its name, and its filename is 'other.jpg'"):
        read_boxes(source)
    text(source / 'Annotations' / 'a.xml', A)
    assert [image.name for image in read_boxes(source).parts[0].columns] == ['c.jpg', 'a.jpg']


def test_missing_pictures_and_annotations(source):
    (source / 'JPEGImages' / 'a.jpg').unlink()
    text(source / 'ImageSets' / 'Main' / 'val.txt', 'b\ngone\n')
    train, val = read_boxes(source).parts
    assert [(kind, count) for kind, count, _ in train.faults.items()] == [('missing', 1)]
    assert [fault.reason for _, _, first in val.faults.items() for fault in first] == [
        'there is no such file of annotations'
    ]


@pytest.mark.parametrize(
    'content, kind, reason',
    [
        (annotation('b.png', ('cat', '', 5, 6, 'x', 8)), 'unreadable', "'x' is no number"),
        (annotation('b.png', ('cat', '', 5, 6, '', 8)), 'unreadable', 'a number is missing'),
        (annotation('b.png', extra='<object><name>cat</name></object>'), 'unreadable', 'it has no bndbox'),
        (annotation('b.png', ('cat', '', 5, 6, 'nan', 8)), 'not_finite', 'nan'),
        (annotation('b.png', ('cat', '', 5, 6, 3, 8)), 'reversed', '= 4, 5, 3, 8'),
        (annotation('b.png', ('cat', '', 5, 6, 4, 8)), 'empty', '= 4, 5, 4, 8'),
        (annotation('b.png', ('cat', '', 0, 6, 4, 8)), 'border', '= -1, 5, 4, 8'),
    ],
)
def test_faults_name_the_object(source, content, kind, reason):
    path = text(source / 'Annotations' / 'b.xml', content)
    boxes = read_boxes(source)
    ((found, count, (fault,)),) = check_part(boxes.parts[1], boxes.classes).items()
    assert (found, count, fault.where) == (kind, 1, f'{path}: object 0')
    assert reason in fault.reason


@pytest.mark.parametrize(
    'content, message',
    [
        ('<annotation><object>', 'not XML'),
        ('<!DOCTYPE x [<!ENTITY y "z">]><annotation>&y;</annotation>', 'document type'),
        ('<html/>', "no annotation of Pascal VOC, but <'html'>"),
        (annotation('b.png', ('cat', '<difficult>maybe</difficult>', 5, 6, 7, 8)), "difficult is 0 or 1, got 'maybe'"),
        ('<annotation><size><width>wide</width><height>1</height></size></annotation>', "size: 'wide' is no number"),
    ],
)
def test_damage_names_the_file(source, content, message):
    path = text(source / 'Annotations' / 'b.xml', content)
    with pytest.raises(DataError, match=message) as caught:
        read_boxes(source)
    assert str(caught.value).startswith(str(path))


def test_gluoncv_reads_the_same(source):
    import numpy as np
    from gluoncv.data import VOCDetection

    class Theirs(VOCDetection):
        CLASSES = ('dog', 'cat')  # it takes names in lower case

    for path in (source / 'Annotations').glob('*.xml'):
        path.write_text(path.read_text().replace('<name>cat</name><bndbox>', f'<name>cat</name>{DIFFICULT}<bndbox>'))
    (source / 'JPEGImages' / 'b.jpg').write_bytes((source / 'JPEGImages' / 'b.png').read_bytes())  # it wants .jpg
    (source / 'JPEGImages' / 'b.png').unlink()
    boxes = read_boxes(source)
    for part in boxes.parts:
        theirs = Theirs(str(source.parent), [(source.name, part.name)])
        for number, image in enumerate(part.columns):
            label = theirs[number][1]
            if not len(image.boxes):
                assert not len(label)
                continue
            # VOCDetection takes one from all four corners
            assert np.array_equal(label[:, :4] + [0, 0, 1, 1], image.boxes.corners)
            assert np.array_equal(label[:, 4], image.boxes.classes)
            assert np.array_equal(label[:, 5], image.boxes.difficult)
