"""Packing folders and lists: the records contain the files, and bad files are named."""

import cv2
import numpy as np
import pytest

from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.data.preparation.packing import pack
from gluon_cbam.data.records.recordio import RecordFile


@pytest.mark.parametrize('workers', [1, 3])
def test_class_folders(folders, tmp_path, workers):
    root, images = folders
    (done,) = pack(root, tmp_path / 'out', workers=workers)
    assert (done.path, done.records, done.bad, done.other) == (tmp_path / 'out' / 'train.rec', 6, {}, 1)
    records = RecordFile(done.path)
    assert [(int(records[n].labels[0]), records[n].image) for n in range(6)] == list(images.values())
    assert (tmp_path / 'out' / 'classes.txt').read_text() == 'cat\ndog\nzebra\n'


def test_split_layout(tmp_path, write_image):
    root = tmp_path / 'images'
    for split, classes in (('train', ['a', 'b', 'c']), ('val', ['b', 'c'])):
        for number, name in enumerate(classes):
            write_image(root / split / name / 'x.png', number)
    train, val = pack(root, tmp_path / 'out')
    assert RecordFile(train.path).labels.tolist() == [0, 1, 2]
    assert RecordFile(val.path).labels.tolist() == [1, 2]
    write_image(root / 'val' / 'd' / 'x.png', 0)
    with pytest.raises(DataError, match='d: a class that train/ does not have'):
        pack(root, tmp_path / 'out2')


def test_list(folders, tmp_path):
    root, images = folders
    paths = [str(path.relative_to(root)) for path in images]
    listing = tmp_path / 'mine.lst'
    listing.write_text(''.join(f'{n}\t{images[root / path][0]}\t{path}\n' for n, path in enumerate(paths[::-1])))
    (done,) = pack(listing, tmp_path / 'out', root=root)
    assert done.path.name == 'mine.rec'
    assert RecordFile(done.path).labels.tolist() == [2, 2, 1, 1, 0, 0]
    assert (tmp_path / 'out' / 'classes.txt').read_text() == 'cat\ndog\nzebra\n'
    listing.write_text(f'0\t1.5\t7\t{paths[0]}\n')
    (done,) = pack(listing, tmp_path / 'several', root=root, all_labels=True)
    assert RecordFile(done.path)[0].labels.tolist() == [1.5, 7]
    assert not (tmp_path / 'several' / 'classes.txt').exists()
    (tmp_path / 'names.txt').write_text('a\nb\n')
    several = {'all_labels': True, 'classes_file': tmp_path / 'names.txt'}
    assert not pack(listing, tmp_path / 'named', root=root, **several).empty, 'columns of labels are no classes'
    listing.write_text(f'0\t1\t{paths[0]}\nhello\n')
    with pytest.raises(DataError, match='mine.lst: line 2 is not'):
        pack(listing, tmp_path / 'out', root=root)


def test_resize(folders, tmp_path):
    root, images = folders
    (done,) = pack(root, tmp_path / 'out', resize=20)
    for number, (_, original) in zip(range(6), images.values()):
        stored = cv2.imdecode(np.frombuffer(RecordFile(done.path)[number].image, np.uint8), cv2.IMREAD_COLOR)
        pixels = cv2.imdecode(np.frombuffer(original, np.uint8), cv2.IMREAD_COLOR)
        expected = cv2.resize(pixels, (30, 20), interpolation=cv2.INTER_LINEAR)
        assert stored.shape == (20, 30, 3)
        assert np.abs(stored.astype(float) - expected).mean() < 5
        assert np.abs(stored[..., ::-1].astype(float) - expected).mean() > 20, 'the colors are swapped'


@pytest.mark.parametrize('workers', [1, 2])
def test_bad_files(folders, tmp_path, workers):
    root, images = folders
    whole = (root / 'dog' / '0.JPEG').read_bytes()
    bad = {'dog/0.JPEG': whole[: len(whole) // 2], 'zebra/1.png': b'', 'cat/1.png': b'<html>404</html>'}
    for name, content in bad.items():
        (root / name).write_bytes(content)
    out = tmp_path / 'out'
    with pytest.raises(DataError, match='3 of 6 images cannot be packed') as caught:
        pack(root, out, workers=workers)
    assert all(str(root / name) in str(caught.value) for name in bad)
    assert not out.exists(), 'nothing is left of the folder that was made'
    (done,) = pack(root, out, workers=workers, skip_bad=True)
    assert set(done.bad) == {str(root / name) for name in bad}
    assert all(done.bad.values())
    assert done.records == 3
    good = [value for path, value in images.items() if str(path) not in done.bad]
    records = RecordFile(done.path)
    assert [(int(records[n].labels[0]), records[n].image) for n in range(3)] == good


def test_nothing_to_pack(tmp_path):
    with pytest.raises(UsageError, match='no folder, tar file or list'):
        pack(tmp_path / 'none', tmp_path / 'out')
    (tmp_path / 'empty' / 'a').mkdir(parents=True)
    with pytest.raises(UsageError, match='no images'):
        pack(tmp_path / 'empty', tmp_path / 'out')
    (tmp_path / 'odd' / 'val').mkdir(parents=True)
    with pytest.raises(UsageError, match='val/ but no train/'):
        pack(tmp_path / 'odd', tmp_path / 'out')
