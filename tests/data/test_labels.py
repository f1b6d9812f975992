"""Label files in common formats, and ambiguous ones."""

import numpy as np
import pytest
from scipy.io import savemat

from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.data.sources.labels import ListedLabels, assign, read_classes, read_list

IMAGES = ['v/val_01.JPEG', 'v/val_02.JPEG', 'v/val_03.JPEG']
ORDERED = ['n00000003', 'n00000001', 'n00000002']  # as a development kit counts them: not sorted
EXPECTED = [2, 2, 1]  # n00000003, n00000003, n00000002 in the sorted names


@pytest.fixture
def write(tmp_path):
    def write(text, name='labels.txt'):
        (tmp_path / name).write_text(text)
        return tmp_path / name

    return write


FORMS = {
    'numbers from 1': '1\n1\n3\n',
    'numbers from 0': '0\n0\n2\n',
    'synsets': 'n00000003\nn00000003\nn00000002\n',
    'names and numbers': 'val_03.JPEG 3\nval_01.JPEG 1\nval_02.JPEG 1\n',
    'paths and synsets': 'v/val_01.JPEG\tn00000003\nv/val_03.JPEG\tn00000002\n\nv/val_02.JPEG\tn00000003\n',
    'Kaggle': 'ImageId,PredictionString\nval_01,n00000003 1 2 3 4 \nval_03,n00000002 1 2 3 4\nval_02,n00000003 1 2 3 4',
    'Windows': '1\r\n1\r\n3\r\n',
}


@pytest.mark.parametrize('form', FORMS)
def test_formats(write, form):
    assigned = assign(write(FORMS[form]), IMAGES, ORDERED, None)
    assert (assigned.numbers, assigned.classes) == (EXPECTED, sorted(ORDERED))


def test_numbers_of_the_training_classes(write):
    assert assign(write('0\n2\n1\n'), IMAGES, None, ['a', 'b', 'c']) == ([0, 2, 1], ['a', 'b', 'c'])
    assert assign(write('0\n2\n1\n'), IMAGES, None, None) == ([0, 2, 1], [])
    assert assign(write('b\nb\na\n'), IMAGES, None, None) == ([1, 1, 0], ['a', 'b'])
    assert assign(write('b\nb\na\n'), IMAGES, None, ['a', 'aa', 'b']) == ([2, 2, 0], ['a', 'aa', 'b'])


@pytest.mark.parametrize(
    ('text', 'ordered', 'error', 'message'),
    [
        ('1\n2\n2\n', ORDERED, UsageError, 'labels in 1..2 may count the 3 names from 0 or from 1'),
        ('1\n2\n3\n', None, UsageError, 'labels in 1..3 do not define which class .* --classes-file'),
        ('0\n2\n3\n', ORDERED, DataError, r'labels in 0..3 cannot be numbers of 3 classes'),
        ('1\n2\n4\n', ORDERED, DataError, r'labels in 1..4 cannot be numbers of 3 classes'),
        ('-1\n2\n0\n', None, DataError, r'labels in -1..2 cannot be numbers'),
        ('1\n2\n', ORDERED, DataError, '2 labels for 3 images'),
        ('1\nn00000001\n3\n', ORDERED, DataError, "some labels are numbers and some are names, such as 'n00000001'"),
        ('n00000003\nn00000009\nn00000001', ORDERED, DataError, "'n00000009' is none of the 3 classes"),
        ('val_01 1\nval_02 1\n', ORDERED, DataError, "no label for 'v/val_03.JPEG'"),
        ('val_01 1\nval_02 1\nval_03 3\nval_04 3', ORDERED, DataError, "no image 'val_04'"),
        ('val_01 1\nval_02 1\nval_03 3\nval_03 2', ORDERED, DataError, "two labels for 'val_03'"),
        ('val_01 1\nval_02 1\n3\n', ORDERED, DataError, "'3' names no image"),
    ],
)
def test_ambiguous_or_wrong_files(write, text, ordered, error, message):
    with pytest.raises(error, match=f'labels.txt: {message}'):
        assign(write(text), IMAGES, ordered, None)


def test_classes(write, tmp_path):
    assert read_classes(write('tiger cat\ncat\n')) == ['tiger cat', 'cat']
    assert read_classes(write('n02119789 kit fox\nn02100735 English setter\n')) == ['n02119789', 'n02100735']
    for text, message in (('a\nb\na\n', "the class 'a' occurs twice"), ('\n', 'it names no class')):
        with pytest.raises(DataError, match=message):
            read_classes(write(text))
    with pytest.raises(UsageError, match='no file'):
        read_classes(tmp_path / 'none.txt')


def test_meta_mat(write, tmp_path):
    """ImageNet's development kit: its own order of numbers, and groups of classes after them."""
    fields = [('ILSVRC2012_ID', float), ('WNID', object), ('words', object), ('num_children', float)]
    rows = [(2, 'n00000001', 'a', 0), (1001, 'n09', 'group', 3), (1, 'n00000003', 'b', 0), (3, 'n00000002', 'c', 0)]
    savemat(tmp_path / 'meta.mat', {'synsets': np.array(rows, fields).reshape(-1, 1)})
    assert read_classes(tmp_path / 'meta.mat') == ORDERED
    with pytest.raises(DataError, match=r'broken.mat: no meta.mat of ImageNet'):
        read_classes(write('this is no MATLAB file', 'broken.mat'))


def test_lists(write):
    names, labels = read_list(write('5\t1.0\t2.5\tdir/a b.png\n6\t3\tc.png\n'), ListedLabels(every=True))
    assert (list(names), list(labels)) == (['dir/a b.png', 'c.png'], [(1.0, 2.5), (3.0,)])
    names, labels = read_list(write('train/n01/a b.JPEG 7\ntrain/n02/é.JPEG 0\n'))
    assert (list(names), list(labels)) == (['train/n01/a b.JPEG', 'train/n02/é.JPEG'], [(7.0,), (0.0,)])
    for text in ('hello\n', '0\ta.png\n', 'a.png cat\n', '0\tx\ta.png\n'):
        with pytest.raises(DataError, match='labels.txt: line 1 is not'):
            read_list(write(text))
    with pytest.raises(UsageError, match='the list is empty'):
        read_list(write('\n'))


def test_an_image_that_is_listed_with_two_labels(write):
    with pytest.raises(DataError, match='a b.jpg is listed twice, with the labels 0 and 1'):
        read_list(write('0\t0\ta b.jpg\n1\t0\tb.jpg\n2\t1\ta b.jpg\n'))
    with pytest.raises(DataError, match='a.jpg is listed twice, with the labels 1 2 and 1 3'):
        read_list(write('0\t1\t2\ta.jpg\n1\t1\t3\ta.jpg\n'), ListedLabels(every=True))
    names, _ = read_list(write('0\t0\ta.jpg\n1\t0\ta.jpg\n'))
    assert list(names) == ['a.jpg', 'a.jpg'], 'one that is to count twice'
