"""The readers of verification sets and of sets of faces."""

import pickle
import struct

import numpy as np
from fuzz.images import image
from fuzz.reader import Reader, of_bytes, written

from gluon_cbam.data.faces.archived_sets import write_archived
from gluon_cbam.data.faces.record_sets import FaceRecords, writing_faces
from gluon_cbam.data.faces.verification_sets import open_verification_set
from gluon_cbam.data.records.checking import check_files
from gluon_cbam.data.records.images import decode_record

PICTURES = [image('.png'), image('.jpg'), image('.png'), image('.jpg')]
SAME = [True, False]
ARRAYS = [np.frombuffer(each, np.uint8).copy() for each in PICTURES]


def of_python_2():
    """What Python 2's cPickle writes by protocol 2."""
    pictures = b''.join(b'T' + struct.pack('<i', len(each)) + each for each in PICTURES)
    return b'\x80\x02](' + pictures + b'e](\x88\x89e\x86.'


def expanding(original):
    """One text of 1 MB, made into bytes again and again."""
    text = b'X' + struct.pack('<I', 1_000_000) + b'a' * 1_000_000
    return (
        b'\x80\x02c_codecs\nencode\nq\x00'
        + text
        + b'q\x010]('
        + b'h\x00h\x01X\x06\x00\x00\x00latin1\x86R' * 5000
        + b'e.'
    )


ATTACKS = [
    expanding,
    lambda original: b'(' + b']' * 20_000_000,
    lambda original: b'I' + b'9' * 5_000_000 + b'\n.',
    lambda original: b'\x80\x02' + b'](' + b'N' + b'q\x00' + b'h\x00' * 5_000_000 + b'e.',
    lambda original: b'\x80\x02\x8a\xff' + b'\xff' * 255 + b'.',
    lambda original: b'\x80\x05\x96' + b'\xff' * 7 + b'\x7f' + b'a.',
    lambda original: b'\x80\x02)' + b'\x85' * 5_000_000 + b'.',
    lambda original: b'cos\nsystem\n(S"touch ran"\ntR.',
]


def read_set(path):
    found = open_verification_set(path)
    for number in range(len(found)):
        found.load(number)


def make_faces(folder):
    with writing_faces(folder / 'train.rec', (30, 40), names=['Ada', 'Bo']) as writer:
        for number in range(6):
            writer.write(number // 3, PICTURES[number % 2])
    return folder / 'train.rec'


def read_faces(path):
    path = path.with_name('train.rec')
    for report in check_files([path]).files:
        report.as_dict()
    faces = FaceRecords(path)
    for number in range(len(faces)):
        decode_record(faces.records, number)


def with_pictures(name, text):
    """A ``make`` of a list of pairs and its pictures."""

    def make(folder):
        for number in (1, 2):
            (folder / 'Ada').mkdir(exist_ok=True)
            (folder / 'Ada' / f'Ada_000{number}.jpg').write_bytes(PICTURES[1])
            (folder / 'Bo').mkdir(exist_ok=True)
            (folder / 'Bo' / f'Bo_000{number}.jpg').write_bytes(PICTURES[1])
        (folder / name).write_text(text)
        return folder / name

    return make


LIST = '2\t1\nAda\t1\t2\nAda\t1\tBo\t2\nBo\t1\t2\nBo\t1\tAda\t2\n'
CSV = 'path_a,path_b,same\nAda/Ada_0001.jpg,Ada/Ada_0002.jpg,1\nAda/Ada_0001.jpg,Bo/Bo_0002.jpg,0\n'
PAIRS = np.array([[0, 1], [2, 3]])

FACE_READERS = [
    Reader('pairs of Python 2', of_bytes('lfw.bin', of_python_2()), read_set, ATTACKS),
    *(
        Reader(f'pairs of protocol {protocol}', of_bytes('lfw.bin', pickle.dumps((ARRAYS, SAME), protocol)), read_set)
        for protocol in (0, 2, 4)
    ),
    Reader('pairs npz', written('lfw.npz', lambda path: write_archived(path, PICTURES, PAIRS, SAME)), read_set),
    Reader('pairs txt', with_pictures('pairs.txt', LIST), read_set),
    Reader('pairs csv', with_pictures('pairs.csv', CSV), read_set),
    Reader('faces', make_faces, read_faces),
    Reader('property', lambda folder: make_faces(folder).with_name('property'), read_faces),
]
