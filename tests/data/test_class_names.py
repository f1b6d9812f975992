"""The names of classes beside record files, and their comparison."""

import json

import pytest

from gluon_cbam.common.errors import DataError
from gluon_cbam.data.class_names import (
    ClassNames,
    check_classes,
    compare,
    first_difference,
    names_beside,
    names_in,
    write_classes,
)
from gluon_cbam.data.datasets.imagenet import imagenet_classes, imagenet_synsets, same_imagenet_class
from gluon_cbam.data.sources.labels import read_classes
from gluon_cbam.data.sources.layouts import read_source


def test_names_are_read_without_line_ends_and_byte_order_mark(tmp_path):
    path = tmp_path / 'classes.txt'
    path.write_bytes('\ufeffcat\r\n\r\nwild\x85dog \r\n\n'.encode())
    assert names_in(path) == ['cat', '', 'wild\x85dog ']
    assert names_beside(tmp_path / 'val.rec') == ClassNames(str(path), ['cat', '', 'wild\x85dog '])
    path.write_bytes(b'\xff\xfe')
    with pytest.raises(DataError, match=r'classes\.txt: no text in UTF-8'):
        names_in(path)


def test_written_names_are_read_again_and_compared(tmp_path):
    write_classes(tmp_path, ['b', 'a'])
    assert names_beside(tmp_path / 'val.rec').names == ['b', 'a']
    check_classes(tmp_path, ['b', 'a'])
    for other in (['a', 'b'], ['b'], ['b', 'a', 'c']):
        with pytest.raises(DataError, match='names other classes'):
            check_classes(tmp_path, other)


def test_a_record_file_without_names(tmp_path):
    found = names_beside(tmp_path / 'val.rec')
    assert (found.names, found.where) == (None, f'{tmp_path}/val.rec (without a classes.txt beside it)')
    assert compare(ClassNames('card.json', ['a']), found) == (
        f'the names of the classes were not compared with those of card.json: {found.where} has none'
    )


@pytest.mark.parametrize(
    ('found', 'difference'),
    [
        (['a', 'b', 'c'], None),
        (['a', 'b'], None),  # the first classes, at the same indices
        (['a', 'b', 'c', 'd'], None),  # labels of 3 are found by the check of labels
        (['b', 'a', 'c'], (0, 'a', 'b')),
        (['a', 'c', 'b'], (1, 'b', 'c')),
        (['a', 'B', 'c'], (1, 'b', 'B')),
        (['a', 'b '], (1, 'b', 'b ')),
        (['\ufeffa', 'b\r\n'], None),
    ],
)
def test_the_first_difference(found, difference):
    assert first_difference(['a', 'b', 'c'], found) == difference


def test_composed_and_decomposed_accents_are_the_same():
    assert first_difference(['caf\u00e9'], ['cafe\u0301']) is None


def test_a_renaming_may_not_move_names():
    assert first_difference(['a', 'b'], ['A', 'B'], moved=True) is None
    assert first_difference(['a', 'b'], ['A', 'a'], moved=True) == (1, 'b', 'a')


def test_the_message_has_both_names_both_files_and_what_to_do():
    with pytest.raises(DataError) as raised:
        compare(ClassNames('run/best.json', ['0', '1']), ClassNames('val/classes.txt', ['0', 'x\n' * 1000]))
    text = str(raised.value)
    assert text.startswith("class 1 is 'x\\nx\\n")
    assert text.endswith(
        "in val/classes.txt, but '1' in run/best.json: pack the images with cbam data pack --classes-file "
        'run/best.json, or give --ignore-classes'
    )
    assert len(text) < 400


@pytest.mark.parametrize('exported', ['net-symbol.json', 'net.onnx'])
def test_the_message_names_no_file_that_packing_cannot_read(exported):
    """The names of an exported network are in its metadata."""
    with pytest.raises(DataError, match='--classes-file FILE, the names in that order, or give --ignore-classes'):
        compare(ClassNames(exported, ['0', '1']), ClassNames('val/classes.txt', ['0', 'x']))


def test_synsets_are_in_the_order_of_the_names():
    synsets, names = imagenet_synsets(), imagenet_classes()
    assert synsets == sorted(set(synsets))
    assert len(synsets) == len(names) == 1000
    # from ILSVRC 2012's synset_words.txt
    known = {
        'n01440764': 'tench',
        'n02123045': 'tabby',
        'n03126707': 'crane',
        'n02012849': 'crane',
        'n15075141': 'toilet tissue',
    }
    assert {synset: dict(zip(synsets, names))[synset] for synset in known} == known


@pytest.mark.parametrize(
    ('name', 'other', 'same'),
    [
        ('n01440764', 'tench', True),
        ('tench', 'n01440764 tench, Tinca tinca', True),
        ('tench, Tinca tinca', 'tench', True),
        ('n01440764', 'goldfish', False),
        ('n02012849', 'n03126707', False),  # both are cranes
        ('n99999999', 'n99999998', False),
        ('one', 'two', False),
        ('', 'x', False),
    ],
)
def test_the_same_class_of_imagenet(name, other, same):
    assert same_imagenet_class(name, other) is same


def folders(tmp_path, write_image, *names):
    for number, name in enumerate(names):
        write_image(tmp_path / 'images' / name / '0.png', number)
    return tmp_path / 'images'


@pytest.mark.parametrize('kind', ['classes.txt', 'card.json', 'names.txt'])
def test_a_classes_file_gives_the_order_of_the_indices(kind, tmp_path, write_image):
    names, path = ['zebra', 'ant', 'cat'], tmp_path / kind
    path.write_text(json.dumps({'class_names': names}) if kind.endswith('json') else '\n'.join(names))
    assert read_classes(path) == names
    source = read_source(folders(tmp_path, write_image, 'ant', 'zebra'), classes_file=path)
    # any other file says what the numbers of label files mean, as meta.mat does, and the indices are in sorted order
    expected = sorted(names) if kind == 'names.txt' else names
    assert source.classes == expected
    part = source.parts[0]
    labels = {part.image(index): part.labels[index][0] for index in range(len(part))}
    assert labels == {f'{name}/0.png': expected.index(name) for name in ('ant', 'zebra')}


def test_a_json_file_that_is_no_card(tmp_path):
    path = tmp_path / 'card.json'
    path.write_text('{"class_names": 3}')
    with pytest.raises(DataError, match=r'card\.json: no card of weights that names its classes'):
        read_classes(path)
