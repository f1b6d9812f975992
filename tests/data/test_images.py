"""Image sources: order, names, and images that do not exist."""

import os

import numpy as np
import pytest
from odd_images import OTHER, READABLE
from records import BAD, BAD_IMAGES, write_with_bad_image

from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.data.sources.images import open_images


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Images in folders, and other files; it is the working directory."""
    image = READABLE['plain.png']
    for name in ('b/2.png', 'b/10.png', 'b/1.PNG', 'b/c10/x.jpg', 'b/c9/x.bmp', 'a.jpeg'):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(image)
    for name in ('notes.txt', 'b/labels.csv', '.hidden.png', '.hidden/x.png', 'clip.mp4'):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b'no image')
    (tmp_path / 'b' / 'loop').symlink_to(tmp_path / 'b', target_is_directory=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def files(*arguments, **options):
    return [image.file for image in open_images(arguments, **options)]


def test_a_folder_in_natural_order(folder):
    expected = ['b/1.PNG', 'b/2.png', 'b/10.png', 'b/c9/x.bmp', 'b/c10/x.jpg']
    assert files('b') == files('b/') == expected
    assert files('.') == ['./a.jpeg', *(f'./{name}' for name in expected)]
    assert files('b', limit=2) == expected[:2]


def test_patterns(folder):
    assert files('b/*.png') == ['b/2.png', 'b/10.png']
    assert files('*/c*/x.*') == ['b/c9/x.bmp', 'b/c10/x.jpg']
    assert files('b/c*') == ['b/c9/x.bmp', 'b/c10/x.jpg']
    assert 'b/c10/x.jpg' in files('**/*.jpg')
    (folder / '[1].png').write_bytes(b'')
    assert files('[1].png', 'a.jpeg') == ['[1].png', 'a.jpeg']


def test_a_missing_argument_is_a_usage_error(folder):
    for arguments, message in (
        (['a.jpeg', 'c.jpeg'], "no image file or folder 'c.jpeg'"),
        (['*.tga'], r"no file matches '\*.tga'"),
        (['-', '-'], 'once, got it 2 times'),
    ):
        with pytest.raises(UsageError, match=message):
            open_images(arguments)
    with pytest.raises(UsageError, match="no list of images 'list.txt'"):
        open_images(files_from='list.txt')


def test_a_missing_file_in_a_list_is_a_bad_image(folder):
    (folder / 'list.txt').write_bytes(b'a.jpeg\r\n\nb\nc.jpeg\nnone.rec\n  \nclip.mp4\n')
    images = list(open_images(['a.jpeg'], files_from='list.txt'))
    assert [image.file for image in images] == [
        'a.jpeg', 'a.jpeg', *files('b'), 'c.jpeg', 'none.rec', 'clip.mp4',
    ]  # fmt: skip
    for image in images[:-3]:
        assert image.decode().shape == (30, 40, 3)
    for image, error in zip(images[-3:], (FileNotFoundError, DataError, DataError)):
        with pytest.raises(error):
            image.decode()


def test_names_that_are_not_utf8(folder):
    name = b'caf\xe9.png'
    (folder / os.fsdecode(name)).write_bytes(READABLE['plain.png'])
    (folder / 'list.txt').write_bytes(name + b'\n')
    (image,) = open_images(files_from='list.txt')
    assert image.decode().shape == (30, 40, 3)
    assert os.fsencode(image.file) == name


def test_every_image_of_a_folder_is_named(tmp_path):
    """Including images that cannot be read, so that their number is complete."""
    for name, image in {**READABLE, **OTHER}.items():
        (tmp_path / name).write_bytes(image)
    bad = []
    for image in open_images([str(tmp_path)]):
        try:
            assert image.decode().shape[2] == 3
        except DataError as error:
            assert 'no JPEG, PNG, BMP, WebP, GIF, TIFF or AVIF' in str(error)
            bad.append(os.path.basename(image.file))
    assert bad == sorted(OTHER)


def test_a_folder_that_cannot_be_read_is_named(folder, monkeypatch):
    scandir = os.scandir

    def refuse(path):
        if path.endswith('c9'):
            raise PermissionError(13, 'Permission denied', path)
        return scandir(path)

    monkeypatch.setattr(os, 'scandir', refuse)
    assert files('b')[-2:] == ['b/c9', 'b/c10/x.jpg']


def test_records(tmp_path):
    records = write_with_bad_image(tmp_path, 'cut')
    images = list(open_images([str(records.path)]))
    assert [(image.file, image.number) for image in images] == [(str(records.path), n) for n in range(10)]
    for number, image in enumerate(images):
        if number == BAD:
            with pytest.raises(DataError, match=f'record {BAD} at offset'):
                image.decode()
        else:
            assert image.decode().shape == (48, 64, 3)
    (tmp_path / 'bad.rec').write_bytes((tmp_path / 'bad.rec').read_bytes()[:3000])
    (broken,) = open_images([str(records.path)])
    with pytest.raises(DataError, match='truncated'):
        broken.decode()


@pytest.mark.parametrize('kind', BAD_IMAGES)
def test_bad_files_raise_errors_when_decoded(tmp_path, kind):
    (tmp_path / 'bad.jpg').write_bytes(BAD_IMAGES[kind])
    (image,) = open_images([str(tmp_path / 'bad.jpg')])
    with pytest.raises(DataError, match='bad.jpg: '):
        image.decode()


def test_nothing_is_read_in_advance(folder):
    """A million files of a pattern or list are not a million open files, images or lines in memory."""
    images = open_images(['b'])
    first = next(images)
    (folder / 'b' / '2.png').unlink()
    (folder / 'b' / 'c9' / 'new.png').write_bytes(b'')
    assert np.array_equal(first.decode(), next(open_images(['b/10.png'])).decode())
    with pytest.raises(FileNotFoundError):
        next(images).decode()
    assert 'b/c9/new.png' in [image.file for image in images]


def test_pipes_and_devices_are_not_read(tmp_path):
    """In lists and as arguments, as images, records and videos: reading them would wait or never end."""
    for name in ('a.png', 'b.rec', 'c.mp4', 'd'):
        os.mkfifo(str(tmp_path / name))
    (tmp_path / 'list').write_text('\n'.join(str(tmp_path / name) for name in ['a.png', 'b.rec', 'c.mp4', 'd']))
    (tmp_path / 'zero.png').symlink_to('/dev/zero')
    for images in (
        open_images(files_from=str(tmp_path / 'list')),
        open_images([str(tmp_path / 'd'), '/dev/zero', str(tmp_path / 'zero.png')]),
    ):
        for image in images:
            with pytest.raises(DataError, match='not a regular file|no record file'):
                image.decode()
    with pytest.raises(UsageError, match='no list of images'):
        open_images(files_from=str(tmp_path / 'd'))
