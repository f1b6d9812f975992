"""Reading CSV: with and without header, both orders of columns, pictures without objects, and what is wrong."""

import pytest
from box_files import pictures, rows, text

from gluon_cbam.common.errors import DataError
from gluon_cbam.data.boxes.formats import read_boxes, recognize
from gluon_cbam.data.boxes.sets import check_part

TABLES = {
    'class second': 'a.jpg,Dog,1,2,30.5,40\nb.png,,,,,\na.jpg,cat,0,0,64,48\n',
    'class last': 'a.jpg,1,2,30.5,40,Dog\nb.png,,,,,\na.jpg,0,0,64,48,cat\n',
    'empty first': 'b.png,,,,,\na.jpg,1,2,30.5,40,Dog\na.jpg,0,0,64,48,cat\n',
    'header': 'path,class,xmin,ymin,xmax,ymax\na.jpg,Dog,1,2,30.5,40\na.jpg,cat,0,0,64,48\nb.png\n',
    'other names': 'Image_Path,x1,y1,x2,y2,label,score\na.jpg,1,2,30.5,40,Dog,.5\na.jpg,0,0,64,48,cat,\nb.png,,,,,,\n',
    'quoted': '"a.jpg","Dog","1","2","30.5","40"\r\n"a.jpg",cat,0,0,64,48\r\nb.png,"","","","",""\r\n',
}
EXPECTED = {'a.jpg': [('Dog', (1, 2, 30.5, 40), False, False), ('cat', (0, 0, 64, 48), False, False)], 'b.png': []}


@pytest.mark.parametrize('table', TABLES.values(), ids=TABLES)
def test_orders_of_columns(tmp_path, table):
    pictures(tmp_path)
    path = text(tmp_path / 'boxes.csv', table)
    assert recognize(path).name == 'csv'
    boxes = read_boxes(path)
    assert (boxes.classes, rows(boxes)) == (('Dog', 'cat'), {'boxes': EXPECTED})
    assert boxes.left_out.as_dict() == {'unannotated': {'count': 1, 'first': 'c.jpg'}}


def test_classes_are_sorted_whatever_comes_first(tmp_path):
    pictures(tmp_path)
    path = text(tmp_path / 'boxes.csv', 'a.jpg,zebra,1,2,3,4\na.jpg,cat,1,2,3,5\nb.png,Dog,1,2,3,6\n')
    boxes = read_boxes(path)
    assert boxes.classes == ('Dog', 'cat', 'zebra')
    assert boxes.parts[0].columns.boxes.classes.tolist() == [2, 1, 0]


def test_numbers_as_classes_need_a_header(tmp_path):
    pictures(tmp_path)
    path = text(tmp_path / 'boxes.csv', 'a.jpg,1,2,30,40,7\n')
    with pytest.raises(DataError, match="whether the class '1' or '7' is unclear: begin it with the line path,class"):
        read_boxes(path, 'csv')
    text(path, 'path,class,xmin,ymin,xmax,ymax\na.jpg,7,1,2,30,40\n')
    assert read_boxes(path).classes == ('7',)


def test_absolute_paths(tmp_path):
    for folder in ('x', 'y'):
        pictures(tmp_path / 'far' / folder)
    path = text(tmp_path / 'boxes.csv', f'{tmp_path}/far/x/a.jpg,1,2,30.5,40,Dog\n{tmp_path}/far/y/b.png,1,2,3,4,Dog\n')
    boxes = read_boxes(path)
    assert boxes.parts[0].root == tmp_path / 'far'
    assert list(rows(boxes)['boxes']) == ['x/a.jpg', 'y/b.png']


def test_flags_and_areas(tmp_path):
    pictures(tmp_path)
    header = 'path,class,xmin,ymin,xmax,ymax,difficult,crowd,area'
    path = text(tmp_path / 'boxes.csv', f'{header}\na.jpg,Dog,1,2,3,4,1,0,\na.jpg,Dog,1,2,3,9,0,1,2.5\n')
    columns = read_boxes(path).parts[0].columns
    assert columns.boxes.difficult.tolist() == [True, False]
    assert columns.boxes.crowd.tolist() == [False, True]
    assert columns.boxes.areas.tolist() == [4, 2.5]


def test_a_table_for_each_split(tmp_path):
    pictures(tmp_path)
    text(tmp_path / 'train.csv', TABLES['header'])
    text(tmp_path / 'valid.csv', 'c.jpg,zebra,1,2,3,4\n')
    boxes = read_boxes(tmp_path)
    assert boxes.classes == ('Dog', 'cat', 'zebra')  # sorted over both
    assert rows(boxes) == {'train': EXPECTED, 'val': {'c.jpg': [('zebra', (1, 2, 3, 4), False, False)]}}


@pytest.mark.parametrize(
    'line, kind, reason',
    [
        ('b.png,Dog,1,2,x,4', 'unreadable', "'x' is no number"),
        ('b.png,Dog,1,2,,4', 'unreadable', 'a number is missing'),
        ('b.png,,1,2,3,4', 'unreadable', 'the class is missing'),
        ('b.png,Dog,1,2,inf,4', 'not_finite', ''),
        ('b.png,Dog,5,2,3,4', 'reversed', ''),
        ('b.png,Dog,5,2,5,4', 'empty', ''),
        ('b.png,Dog,60,2,65,4', 'outside', ''),
        ('b.png,wolf,1,2,3,4', 'class', "unknown class 'wolf'"),
    ],
)
def test_faults_name_the_line(tmp_path, line, kind, reason):
    pictures(tmp_path)
    text(tmp_path / 'classes.txt', 'Dog\ncat\n')
    path = text(tmp_path / 'boxes.csv', f'{TABLES["header"]}\n{line}\n')
    boxes = read_boxes(path)
    ((found, count, (fault,)),) = check_part(boxes.parts[0], boxes.classes).items()
    assert (found, count, fault.where) == (kind, 1, f'{path}: line 6')
    assert reason in fault.reason


def test_missing_pictures_are_named_once(tmp_path):
    path = text(tmp_path / 'boxes.csv', TABLES['class second'])
    pictures(tmp_path, ['b.png'])
    ((kind, count, (fault,)),) = read_boxes(path).parts[0].faults.items()
    assert (kind, count, fault.where) == ('missing', 1, str(tmp_path / 'a.jpg'))


STATED = 'filename,width,height,class,xmin,ymin,xmax,ymax\n'  # of TensorFlow's Object Detection API


def test_stated_sizes_are_those_of_the_pictures(tmp_path):
    pictures(tmp_path)
    lines = 'a.jpg,64,48,Dog,1,2,30.5,40\na.jpg,64,48,cat,0,0,64,48\nb.png,0,0,,,,,\n'
    boxes = read_boxes(text(tmp_path / 'boxes.csv', STATED + lines))
    assert (rows(boxes), boxes.parts[0].faults.wrong) == ({'boxes': EXPECTED}, 0)


def test_another_size_is_a_fault_of_the_picture(tmp_path):
    pictures(tmp_path)
    path = text(tmp_path / 'boxes.csv', f'{STATED}a.jpg,48,64,Dog,1,2,3,4\na.jpg,48,64,Dog,1,2,3,9\nb.png,60,40,,,,,\n')
    part = read_boxes(path).parts[0]
    ((kind, count, (fault,)),) = part.faults.items()
    assert (kind, count, fault.where) == ('size', 1, f'{path}: line 2')
    assert fault.reason == 'width 48 and height 64, but the picture has width 64 and height 48'
    assert part.columns.names == ['b.png']


@pytest.mark.parametrize(
    'lines, message',
    [
        ('a.jpg,64,48,Dog,1,2,3,4\na.jpg,48,64,Dog,1,2,3,5\n', "line 3: width 48 and height 64 for 'a.jpg', but"),
        ('a.jpg,64,48,Dog,1,2,3,4\na.jpg,,,Dog,1,2,3,5\n', 'line 3: no width and height for'),
        ('a.jpg,64,,Dog,1,2,3,4\n', 'line 2: height and width: a number is missing'),
        ('a.jpg,wide,48,Dog,1,2,3,4\n', "line 2: height and width: 'wide' is no number"),
        ('a.jpg,64.5,48,Dog,1,2,3,4\n', "line 2: a picture of '64.5' x '48' pixels"),
        ('a.jpg,nan,48,Dog,1,2,3,4\n', "line 2: a picture of 'nan' x '48' pixels"),
        ('a.jpg,-64,48,Dog,1,2,3,4\n', "line 2: a picture of '-64' x '48' pixels"),
    ],
)
def test_sizes_that_are_none(tmp_path, lines, message):
    pictures(tmp_path)
    with pytest.raises(DataError, match=message):
        read_boxes(text(tmp_path / 'boxes.csv', STATED + lines))


@pytest.mark.parametrize(
    'table, message',
    [
        ('path,class,xmin,ymin,xmax,ymax\na.jpg,Dog,1\n', 'line 2: 3 fields instead of 6'),
        ('path,class,xmin,ymin,xmax,ymax\n../a.jpg,Dog,1,2,3,4\n', "line 2: '../a.jpg' is no path"),
        ('path,class,xmin,ymin,xmax,ymax\n"a.jpg,Dog,1,2,3,4\n', 'line 2: no CSV|line 3: no CSV'),
    ],
)
def test_damage_names_the_line(tmp_path, table, message):
    pictures(tmp_path)
    path = text(tmp_path / 'boxes.csv', table)
    with pytest.raises(DataError, match=message):
        read_boxes(path)
