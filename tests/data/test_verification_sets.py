"""Verification sets of faces: the pickles of Python 2 and 3, archives, and lists of pairs."""

import os
import pickle
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
from checks import assert_one_line
from records import photo_of, write_faces
from scipy.stats import chisquare

from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.data.faces.archived_sets import write_archived
from gluon_cbam.data.faces.converting import convert
from gluon_cbam.data.faces.pairing import draw_pairs
from gluon_cbam.data.faces.pickled_sets import write_pickled
from gluon_cbam.data.faces.verification_sets import open_verification_set


def picture(value, ending='.png'):
    pixels = np.full((12, 10, 3), value, np.uint8)
    pixels[: value % 5 + 2] = 255 - value
    return cv2.imencode(ending, pixels)[1].tobytes()


PICTURES = [picture(value, ending) for value, ending in zip((10, 20, 30, 40), ('.png', '.jpg', '.png', '.jpg'))]
SAME = [True, False]
GOLDEN = Path(__file__).parent / 'golden' / 'python2_pickles.npz'


def opened(tmp_path, content):
    (tmp_path / 'lfw.bin').write_bytes(content)
    return open_verification_set(tmp_path / 'lfw.bin')


def check(found):
    assert (found.name, len(found), found.folds) == ('lfw', 4, 10)
    assert [bytes(found.pictures[number]) for number in range(4)] == PICTURES
    assert found.pairs.tolist() == [[0, 1], [2, 3]]
    assert found.same.tolist() == SAME
    for number, encoded in enumerate(PICTURES):
        expected = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
        assert np.abs(found.load(number).astype(int) - expected).max() <= 2  # another decoder of JPEG


@pytest.mark.parametrize('protocol', range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize(
    'form',
    [
        lambda pictures, same: (pictures, same),
        lambda pictures, same: [tuple(pictures), tuple(int(value) for value in same)],
        lambda pictures, same: ([bytearray(each) for each in pictures], same),
        lambda pictures, same: (
            [np.frombuffer(each, np.uint8) for each in pictures],
            [np.bool_(each) for each in same],
        ),
        lambda pictures, same: ([np.frombuffer(each, np.uint8).copy() for each in pictures], np.array(same)),
        lambda pictures, same: ([np.frombuffer(each, np.uint8).reshape(-1, 1) for each in pictures], same),  # OpenCV 3
        lambda pictures, same: (pictures, np.array(same, np.int64)),
        lambda pictures, same: (pictures, np.array(same, np.uint8)),
        lambda pictures, same: (pictures, np.array(same, '>i4').reshape(-1, 1)),
        lambda pictures, same: (pictures, [np.int64(each) for each in same]),
        lambda pictures, same: (pictures, list(np.array(same, np.int16)[:, None])),
    ],
    ids=[
        'bytes',
        'tuples',
        'bytearrays',
        'arrays',
        'array of booleans',
        'columns',
        'int64',
        'uint8',
        'int32 of Macs',
        'integers',
        'short arrays',
    ],  # fmt: skip
)
def test_every_protocol_of_python_3(tmp_path, form, protocol):
    check(opened(tmp_path, pickle.dumps(form(PICTURES, SAME), protocol)))


def python_2_protocol_2():
    """What cPickle.dumps((list of str, list of bool), 2) of Python 2.7 writes."""
    content = b'\x80\x02]q\x01('
    for number, encoded in enumerate(PICTURES, 2):
        short = len(encoded) < 256
        content += b'U' + bytes([len(encoded)]) if short else b'T' + struct.pack('<i', len(encoded))
        content += encoded + b'q' + bytes([number])
    return content + b'e]q\x06(\x88\x89e\x86q\x07.'


def python_2_protocol_0():
    """What pickle.dumps of Python 2.7 writes by default: the repr of a str on a line."""
    content = b'((lp0\n'
    for number, encoded in enumerate(PICTURES, 1):
        content += b'S' + repr(encoded)[1:].encode() + b'\np%d\na' % number
    return content + b'a'.join([b'(lp5\nI01\n', b'I00\n']) + b'atp6\n.'


def python_2_arrays():
    """A list of numpy arrays as Python 2.7 with numpy 1.16 writes them by protocol 2."""
    first = (
        b'cnumpy.core.multiarray\n_reconstruct\nq\x02cnumpy\nndarray\nq\x03K\x00\x85q\x04U\x01b\x87Rq\x05(K\x01K%c\x85'
        b'cnumpy\ndtype\nq\x06U\x02u1K\x00K\x01\x87Rq\x07(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89%s'
        b'tb'
    )
    other = b'h\x02h\x03h\x04U\x01b\x87R(K\x01M%s\x85h\x07\x89%stb'

    def text(value):
        return b'T' + struct.pack('<i', len(value)) + value

    content = b'\x80\x02]q\x01('
    first = first.replace(b'K\x01K%c\x85', b'K\x01M%s\x85', 1)
    for number, encoded in enumerate(PICTURES):
        content += (other if number else first) % (struct.pack('<H', len(encoded)), text(encoded))
    return content + b'e]q\x08(\x88\x89e\x86q\x09.'


@pytest.mark.parametrize('content', [python_2_protocol_2, python_2_protocol_0, python_2_arrays])
def test_pickles_of_python_2(tmp_path, content):
    content = content()
    pictures, same = pickle.loads(content, encoding='bytes')  # Python itself agrees that these are such pickles
    assert [bytes(each) for each in pictures] == PICTURES
    assert list(same) == SAME
    check(opened(tmp_path, content))


def test_files_that_python_2_wrote(tmp_path):
    """Python 2.7.18's pickle and cPickle with each protocol, and NumPy 1.16.6's arrays."""
    with np.load(str(GOLDEN)) as golden:
        pictures = [golden[f'picture_{number}'].tobytes() for number in range(4)]
        files = {name: golden[name].tobytes() for name in golden.files if not name.startswith('picture')}
    assert len(files) == 8
    for name, content in files.items():
        found = opened(tmp_path, content)
        assert [bytes(found.pictures[number]) for number in range(4)] == pictures, name
        assert found.same.tolist() == SAME, name


class Runs:
    def __init__(self, function, *arguments):
        self.reduced = function, arguments

    def __reduce__(self):
        return self.reduced


@pytest.mark.parametrize('protocol', range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize('place', ['picture', 'boolean', 'instead', 'dropped'])
def test_no_code_of_a_pickle_runs(tmp_path, protocol, place):
    target = tmp_path / 'ran'
    code = Runs(os.mkdir, str(target))
    value = {
        'picture': ([*PICTURES[:3], code], SAME),
        'boolean': (PICTURES, [True, code]),
        'instead': code,
        'dropped': (PICTURES, SAME),
    }[place]
    content = pickle.dumps(value, protocol)
    if place == 'dropped':  # what is called and taken from the stack again
        content = b'\x80\x02' + pickle.dumps(code, 2)[2:-1] + b'0' + pickle.dumps(value, 2)[2:]
    with pytest.raises(DataError, match='lfw.bin: not a verification set of insightface: it asks for posix.mkdir'):
        opened(tmp_path, content)
    assert not target.exists()
    pickle.loads(content)
    assert target.exists(), 'the pickle would have run code'


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (pickle.dumps((PICTURES[:3], SAME)), '3 pictures for 2 pairs'),
        (pickle.dumps((PICTURES, [True, 2])), 'pair 1 has no boolean, but 2'),
        (pickle.dumps(([*PICTURES[:3], 7], SAME)), 'picture 3 is no encoded picture, but 7'),
        (pickle.dumps(([np.zeros((2, 2), np.uint8)] * 4, SAME)), 'picture 0 is an array of other values'),
        (pickle.dumps(([np.zeros(4)] * 4, SAME)), "an array of the type 'f8'"),
        (pickle.dumps(([np.zeros(4, bool)] * 4, SAME)), 'picture 0 is an array of other values'),
        (pickle.dumps(([np.zeros(4, np.int8)] * 4, SAME)), 'picture 0 is an array of other values'),
        (pickle.dumps((PICTURES, np.array([1.0, 0.0]))), "an array of the type 'f8'"),
        (pickle.dumps((PICTURES, np.array([1, 2]))), 'pair 1 has no boolean, but 2'),
        (pickle.dumps((PICTURES, np.array([1, -1]))), 'pair 1 has no boolean, but -1'),
        (pickle.dumps((PICTURES, np.array([256, 0]))), 'pair 0 has no boolean, but 256'),
        (pickle.dumps((PICTURES, np.array([True, False]))).replace(b'\x01\x00\x94', b'\x01\x02\x94'), 'but 2'),
        (pickle.dumps((PICTURES, np.array([[1, 0], [0, 1]]))), 'no list of booleans'),
        (pickle.dumps((PICTURES, np.array([1], np.int16))).replace(b'i2', b'i4'), 'a damaged array'),
        (pickle.dumps(PICTURES), 'it holds no pair of a list'),
        (pickle.dumps(([], [])), 'the verification set has no pair'),
        (pickle.dumps((PICTURES, SAME))[:-20], 'a damaged pickle'),
        (b'', 'it ends early'),
        (b'I' + b'9' * 1000, 'no end of the line'),
        (b'(' + b'N' * 100_000 + b't.', 'too many for its size'),
        (b'\x80\x02X\xff\xff\xff\xffa', 'a damaged pickle'),
        (b'\x80\x02' + b'\x96' + b'\xff' * 8 + b'a', 'a damaged pickle'),
        (b'\x80\x02cnumpy\nndarray\n)R.', 'a damaged pickle'),
    ],
)
def test_damaged_pickles(tmp_path, content, message):
    with pytest.raises(DataError, match=message) as caught:
        opened(tmp_path, content)
    assert '\n' not in str(caught.value)


def test_bytes_made_of_one_text_again_and_again_are_refused(tmp_path):
    text = b'X' + struct.pack('<I', 100_000) + b'a' * 100_000
    content = b'\x80\x02c_codecs\nencode\nq\x00' + text + b'q\x010](' + b'h\x00h\x01X\x06\x00\x00\x00latin1\x86R' * 9
    with pytest.raises(DataError, match='texts that expand to more than'):
        opened(tmp_path, content + b'e.')


@pytest.mark.parametrize('protocol', [2, 4])
def test_a_written_pickle_is_read_by_python(tmp_path, protocol):
    write_pickled(tmp_path / 'lfw.bin', PICTURES, np.array(SAME), protocol)
    pictures, same = pickle.loads((tmp_path / 'lfw.bin').read_bytes())
    assert (pictures, same) == (PICTURES, SAME)
    assert {type(each) for each in pictures} == {bytes}
    check(open_verification_set(tmp_path / 'lfw.bin'))
    with open(tmp_path / 'lfw.bin', 'rb') as file:
        assert file.read(2) == b'\x80' + bytes([protocol])


def test_archives(tmp_path):
    pairs = np.array([[0, 1], [2, 3], [3, 0]])
    write_archived(tmp_path / 'lfw.npz', PICTURES, pairs, np.array([True, False, False]), folds=3)
    found = open_verification_set(tmp_path / 'lfw.npz')
    assert (found.folds, found.pairs.tolist(), found.same.tolist()) == (3, pairs.tolist(), [True, False, False])
    assert [found.pictures[number] for number in range(len(found))] == PICTURES
    with np.load(str(tmp_path / 'lfw.npz'), allow_pickle=False) as archive:
        begin, end = archive['ends'][1:3]
        assert archive['pictures'][begin:end].tobytes() == PICTURES[2]


@pytest.mark.parametrize(
    ('changed', 'message'),
    [
        ({'ends': np.array([5, 3, 9, 40])}, 'the ends of the pictures'),
        ({'ends': np.array([2**63 - 1, -2, -1, 40])}, 'the ends of the pictures'),
        ({'pairs': np.array([[0, 1], [2, 4]])}, r'pair 1 is \[2, 4\], of 4 pictures'),
        ({'pairs': np.array([[0, 1], [2, -1]])}, r'pair 1 is \[2, -1\]'),
        ({'same': np.array([True])}, '1 booleans for pairs'),
        ({'same': np.array([1, 0])}, 'same is int64'),
        ({'folds': np.array(0)}, 'of 0 folds'),
        ({'extra': np.array([print], object)}, 'Object arrays cannot be loaded|pickle'),
    ],
)
def test_damaged_archives(tmp_path, changed, message):
    arrays = {'pictures': np.zeros(40, np.uint8), 'ends': np.array([10, 20, 30, 40]), 'folds': np.array(10)}
    arrays.update({'pairs': np.array([[0, 1], [2, 3]]), 'same': np.array(SAME), **changed})
    np.savez(str(tmp_path / 'lfw.npz'), **arrays)
    with pytest.raises(DataError, match=message):
        open_verification_set(tmp_path / 'lfw.npz')


def people(folder, ending='.jpg'):
    """Two pictures of Ada, two of Bo."""
    for person, values in (('Ada', (10, 20)), ('Bo_C', (30, 40))):
        (folder / person).mkdir(parents=True)
        for number, value in enumerate(values, 1):
            (folder / person / f'{person}_{number:04d}{ending}').write_bytes(picture(value, ending))


def test_the_list_of_lfw(tmp_path):
    people(tmp_path)
    lines = ['2\t1', 'Ada\t1\t2', 'Ada\t1\tBo_C\t2', 'Bo_C\t1\t2', 'Bo_C\t1\tAda\t2']
    (tmp_path / 'pairs.txt').write_text('\n'.join(lines) + '\n')
    found = open_verification_set(tmp_path)
    assert (found.name, len(found), found.folds) == ('pairs', 4, 2)
    assert found.same.tolist() == [True, False, True, False]
    names = [[found.picture_name(number).rpartition('/')[2] for number in pair] for pair in found.pairs.tolist()]
    assert names[1] == ['Ada_0001.jpg', 'Bo_C_0002.jpg']
    assert names[3] == ['Bo_C_0001.jpg', 'Ada_0002.jpg']
    assert abs(int(found.load(found.pairs[1, 1])[-1, 0, 0]) - 40) < 3


def test_the_development_list_of_lfw_in_another_folder(tmp_path):
    people(tmp_path / 'pictures', '.png')
    (tmp_path / 'pairsDevTest.txt').write_text('2\nAda\t1\t2\nBo_C\t1\t2\nAda\t1\tBo_C\t1\nAda\t2\tBo_C\t2\n')
    found = open_verification_set(tmp_path / 'pairsDevTest.txt', tmp_path / 'pictures')
    assert found.same.tolist() == [True, True, False, False]
    assert found.load(0).shape == (12, 10, 3)


@pytest.mark.parametrize('head', ['path_a,path_b,same\n', ''])
def test_csv_lists(tmp_path, head):
    people(tmp_path)
    text = f'{head}Ada/Ada_0001.jpg,Ada/Ada_0002.jpg,1\nAda/Ada_0001.jpg,Bo_C/Bo_C_0001.jpg,False\n'
    (tmp_path / 'mine.csv').write_text(text)
    found = open_verification_set(tmp_path / 'mine.csv')
    assert (found.pairs.tolist(), found.same.tolist(), found.folds) == ([[0, 1], [0, 2]], [True, False], 10)


@pytest.mark.parametrize(
    ('name', 'text', 'message'),
    [
        ('pairs.txt', '2\t1\nAda\t1\t2\nAda\t1\tBo_C\t2\n', '2 pairs instead of 2 x 1 in each of 2 folds'),
        ('pairs.txt', '1\t1\nAda\t1\tBo_C\t2\nAda\t1\t2\n', 'fold 1 has not 1 pairs of one person, then'),
        ('pairs.txt', 'Ada\t1\t2\n', 'its first line is not'),
        ('pairs.txt', '999999999\t999999999\nAda\t1\t2\n', '1 pairs instead of'),
        ('pairs.txt', '1\t1\nAda\t1\n', 'line 2 is neither'),
        ('pairs.txt', '1\t1\nAda\t1\t2\nAda\t1\tCy\t1\n', 'no picture Cy/Cy_0001'),
        ('pairs.txt', '1\t1\n../Ada\t1\t2\nAda\t1\tCy\t1\n', 'not a file in the folder'),
        ('pairs.txt', '', 'its first line is not'),
        ('pairs.csv', 'a.jpg,b.jpg,2\n', 'line 1 is not "path_a,path_b,same"'),
        ('pairs.csv', '/etc/passwd,b.jpg,1\n', 'not a file in the folder'),
        ('pairs.csv', 'path_a,path_b,same\n', 'the list has no pair'),
        ('pairs.csv', f'{"a" * 300}.jpg,b.jpg,1\n', 'no picture aaa'),
    ],
)
def test_wrong_lists(tmp_path, name, text, message):
    people(tmp_path)
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=message):
        open_verification_set(tmp_path / name)


def test_usage_errors(tmp_path):
    with pytest.raises(UsageError, match='no verification set'):
        open_verification_set(tmp_path / 'lfw.bin')
    with pytest.raises(UsageError, match='no pairs.txt or pairs.csv'):
        open_verification_set(tmp_path)
    (tmp_path / 'a.rec').write_bytes(b'')
    with pytest.raises(UsageError, match="ends with .bin, .npz, .txt, .csv, not with '.rec'"):
        open_verification_set(tmp_path / 'a.rec')
    write_pickled(tmp_path / 'lfw.bin', PICTURES, np.array(SAME))
    with pytest.raises(UsageError, match='holds its pictures'):
        open_verification_set(tmp_path / 'lfw.bin', tmp_path)


def test_a_damaged_picture_is_named(tmp_path):
    write_pickled(tmp_path / 'lfw.bin', [*PICTURES[:3], PICTURES[3][:-40]], np.array(SAME))
    with pytest.raises(DataError, match='lfw.bin: picture 3: a damaged image'):
        open_verification_set(tmp_path / 'lfw.bin').load(3)


@pytest.mark.parametrize('ending', ['.bin', '.npz'])
def test_a_list_becomes_a_file(tmp_path, cbam, ending):
    people(tmp_path / 'lfw')
    lines = ['2\t1', 'Ada\t1\t2', 'Ada\t1\tBo_C\t2', 'Bo_C\t1\t1', 'Bo_C\t1\tAda\t2']
    (tmp_path / 'pairs.txt').write_text('\n'.join(lines) + '\n')
    output = tmp_path / 'out' / f'lfw{ending}'
    arguments = ['data', 'pairs', tmp_path / 'pairs.txt', output, '--pictures', tmp_path / 'lfw']
    process = cbam(*arguments, '--protocol', '2')
    assert process.returncode == 0, process.stderr
    pictures = 8 if ending == '.bin' else 4
    expected = f'{output}: 4 pairs, 2 of one person, 2 folds; {pictures} pictures of 10 x 12 pixels'
    assert process.stdout.splitlines() == [expected, 'warning: 1 pairs have the same picture twice: 2']
    found = open_verification_set(output)
    source = open_verification_set(tmp_path / 'pairs.txt', tmp_path / 'lfw')
    assert found.same.tolist() == [True, False, True, False]
    for ours, theirs in zip(found.pairs, source.pairs):
        assert [found.pictures[number] for number in ours] == [source.pictures[number] for number in theirs]
    assert 'exists' in assert_one_line(cbam(*arguments), 2)


def test_pictures_of_several_sizes_and_damaged_ones_are_refused(tmp_path):
    other = cv2.imencode('.png', np.zeros((4, 4, 3), np.uint8))[1].tobytes()
    write_pickled(tmp_path / 'a.bin', [*PICTURES[:3], other], np.array(SAME))
    with pytest.raises(DataError, match='picture 0 has 12 x 10 pixels, .*picture 3 has 4 x 4 pixels'):
        convert(tmp_path / 'a.bin', tmp_path / 'b.npz')
    write_pickled(tmp_path / 'a.bin', [*PICTURES[:3], b'GIF'], np.array(SAME))
    with pytest.raises(DataError, match='picture 3: no JPEG'):
        convert(tmp_path / 'a.bin', tmp_path / 'b.npz')
    with pytest.raises(UsageError, match="written to .bin or .npz, not '.txt'"):
        convert(tmp_path / 'a.bin', tmp_path / 'b.txt')
    assert not (tmp_path / 'b.npz').exists()


def test_pairs_are_drawn_from_records(tmp_path):
    labels = np.repeat(np.arange(5), [4, 6, 5, 1, 8])
    write_faces(tmp_path / 'train.rec', labels.tolist())
    done = convert(tmp_path, tmp_path / 'own.npz', pairs=6, folds=3, seed=1)
    found = open_verification_set(tmp_path / 'own.npz')
    assert (done.pairs, done.folds, found.folds, done.identicals) == (36, 3, 3, 0)
    assert found.same.reshape(3, 2, 6).all(axis=2).tolist() == [[True, False]] * 3
    photos = {photo_of(number): number for number in range(len(labels))}
    drawn = np.array([[photos[found.pictures[number]] for number in pair] for pair in found.pairs.tolist()])
    assert (labels[drawn[:, 0]] == labels[drawn[:, 1]]).tolist() == found.same.tolist()
    assert len({tuple(sorted(pair)) for pair in drawn.tolist()}) == 36
    assert (drawn[:, 0] != drawn[:, 1]).all()
    convert(tmp_path, tmp_path / 'again.npz', pairs=6, folds=3, seed=1)
    assert (tmp_path / 'again.npz').read_bytes() == (tmp_path / 'own.npz').read_bytes()
    with pytest.raises(UsageError, match='300 of one identity, at most half of the 59'):
        convert(tmp_path, tmp_path / 'own.npz', pairs=100, folds=3, overwrite=True)
    with pytest.raises(UsageError, match='has no pairs: --pairs N draws'):
        convert(tmp_path, tmp_path / 'own.bin')
    with pytest.raises(UsageError, match='has its pairs'):
        convert(tmp_path / 'own.npz', tmp_path / 'own.bin', pairs=2)


def test_drawn_pairs_are_uniform():
    """Each pair of a kind is drawn as often as another, over many seeds."""
    labels = np.array([0, 0, 0, 1, 1, 2])
    same, different = [], []
    for seed in range(600):
        pairs, flags = draw_pairs(labels, 1, 2, seed)
        ordered = [tuple(sorted(pair)) for pair in pairs.tolist()]
        same += [pair for pair, flag in zip(ordered, flags) if flag]
        different += [pair for pair, flag in zip(ordered, flags) if not flag]
    for found, possible in ((same, 4), (different, 11)):
        counts = np.unique(found, axis=0, return_counts=True)[1]
        assert len(counts) == possible
        assert chisquare(counts).pvalue > 1e-3


def test_the_command_runs_no_code(tmp_path, cbam):
    target = tmp_path / 'ran'
    (tmp_path / 'lfw.bin').write_bytes(pickle.dumps(([Runs(os.mkdir, str(target))], [True])))
    line = assert_one_line(cbam('data', 'pairs', tmp_path / 'lfw.bin', tmp_path / 'lfw.npz'), 4)
    assert 'it asks for posix.mkdir, which is not plain data' in line
    assert not target.exists()
    assert not (tmp_path / 'lfw.npz').exists()
