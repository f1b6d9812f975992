"""The readers of pictures with boxes."""

import json

from fuzz.images import image
from fuzz.reader import Reader

from gluon_cbam.data.boxes.formats import read_boxes
from gluon_cbam.data.boxes.labels import encode
from gluon_cbam.data.boxes.reading import ReadOptions
from gluon_cbam.data.boxes.sets import check_part
from gluon_cbam.data.boxes.table import Boxes
from gluon_cbam.data.records.recordio import RecordWriter

PICTURE = image('.jpg')
BOXES = Boxes.of([[1, 2, 10, 20], [3, 4.5, 6, 7]], [0, 1], [1, 0], [0, 1], [8, 9])
COCO = {
    'info': {'year': 2026},
    'images': [{'id': number, 'file_name': f'{number}.jpg', 'height': 40, 'width': 60} for number in (7, 9)],
    'annotations': [
        {'id': number, 'image_id': 7, 'category_id': 3, 'bbox': [1, 2.5, 3, 4], 'area': 5, 'iscrowd': 0,
         'segmentation': [[1, 2, 3, 4, 5, 6]]}
        for number in range(4)
    ],
    'categories': [{'id': 3, 'name': 'cat'}, {'id': 8, 'name': 'dog'}],
}  # fmt: skip
OBJECT = (
    '<object><name>cat</name><difficult>1</difficult><bndbox><xmin>1</xmin><ymin>2</ymin><xmax>9</xmax>'
    '<ymax>8</ymax></bndbox></object>'
)
XML = (
    f'<annotation><filename>7.jpg</filename><size><width>60</width><height>40</height></size>{OBJECT * 3}</annotation>'
)
YAML = 'path: .\ntrain: images/train\nval: images/train\nnames:\n  0: cat\n  1: dog\n'
LABELS = '0 0.5 0.5 0.25 0.25\n1 0.1 0.2 0.1 0.1\n0 0.1 0.1 0.2 0.1 0.2 0.2\n'
CSV = 'path,class,xmin,ymin,xmax,ymax\n7.jpg,cat,1,2,3,4\n7.jpg,dog,1,2,30.5,4\n9.jpg,,,,,\n'
LIST = ''.join(f'{number}\t4\t5\t60\t40\t1\t0.1\t0.2\t0.3\t0.4\t{number}.jpg\n' for number in (7, 9))
BOMB = b'<!DOCTYPE a [<!ENTITY b "bbbbbbbbbb"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;">]><annotation>&c;</annotation>'


def pictures(folder):
    folder.mkdir(parents=True, exist_ok=True)
    for number in (7, 9):
        (folder / f'{number}.jpg').write_bytes(PICTURE)


def beside(name, text, place='.'):
    """A ``make`` of a file of text, and its pictures."""

    def make(folder):
        pictures(folder / place)
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    return make


def make_labels(folder):
    (folder / 'data.yaml').write_text(YAML)
    return beside('labels/train/7.txt', LABELS, 'images/train')(folder)


def make_records(folder):
    with RecordWriter(folder / 'boxes.rec') as writer:
        for boxes in (BOXES, Boxes.empty(), BOXES):
            writer.write(encode(boxes, 40, 60).tolist(), PICTURE)
    return folder / 'boxes.rec'


def read_as(form, source=lambda path: path):
    """Reads the set that a file belongs to, and checks it."""

    def read(path):
        boxes = read_boxes(
            source(path), form, ReadOptions(root=path.parent if form in ('coco', 'csv', 'lst') else None)
        )
        for part in boxes.parts:
            check_part(part, boxes.classes).as_dict()
            list(part.columns)

    return read


BOX_READERS = [
    Reader('boxes coco', beside('boxes.json', json.dumps(COCO)), read_as('coco'), [
        lambda original: b'[' * 20_000_000,
        lambda original: b'{"images": [' + b'[' * 5_000_000,
        lambda original: b'{"images": [' + b'9' * 5_000_000 + b']}',
        lambda original: b'{"annotations": [{"id": "' + b'x' * 20_000_000 + b'"}]}',
        lambda original: b'{"annotations": [{"segmentation": [' + b'[],' * 2_000_000 + b'[]]}]}',
    ]),
    Reader('boxes voc', beside('Annotations/7.xml', XML, 'JPEGImages'), read_as('voc', lambda path: path.parents[1]), [
        lambda original: BOMB,
        lambda original: b'<a>' * 1_000_000,
        lambda original: b'<annotation>' + b'<object/>' * 300_000 + b'</annotation>',
    ]),
    Reader('boxes yaml', beside('boxes.yaml', YAML, 'images/train'), read_as('yolo')),
    Reader('boxes yolo', make_labels, read_as('yolo', lambda path: path.parents[2])),
    Reader('boxes csv', beside('boxes.csv', CSV), read_as('csv'), [lambda original: b'"' + b'x' * 20_000_000]),
    Reader('boxes rec', make_records, read_as('rec')),
    Reader('boxes lst', beside('boxes.lst', LIST), read_as('lst')),
]  # fmt: skip
