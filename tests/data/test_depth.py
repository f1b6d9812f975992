"""Images of 16 bits a channel that use fewer: they are counted, and scaled where their depth is given."""

from functools import partial

import cv2
import numpy as np
import pytest

from gluon_cbam.data.decoding import DarkImages, decode
from gluon_cbam.data.preparation.packing import pack
from gluon_cbam.data.records.checking import check_files
from gluon_cbam.data.records.recordio import RecordFile
from gluon_cbam.data.sources.images import open_images

VALUES = np.random.RandomState(0).randint(0, 4096, (20, 30, 3)).astype(np.uint16)
VALUES[0, 0] = 4095


def deep(values, ending='.png'):
    return cv2.imencode(ending, values[..., ::-1] if values.ndim == 3 else values)[1].tobytes()


@pytest.mark.parametrize('ending', ['.png', '.tiff'])
def test_values_are_scaled(ending):
    image = deep(VALUES, ending)
    assert np.array_equal(decode(image, 'a', depth=12), np.round(VALUES.astype(float) * 255 / 4095))
    assert np.array_equal(decode(image, 'a', depth=8), VALUES.clip(0, 255))
    full = np.round(VALUES.astype(float) * 255 / 65535)
    assert np.array_equal(decode(image, 'a', depth=16), full)
    assert np.abs(decode(image, 'a').astype(int) - full).max() <= 1, 'as before'
    gray = decode(deep(VALUES[:, :, 0], ending), 'a', depth=12)
    assert np.array_equal(gray, np.repeat(decode(image, 'a', depth=12)[:, :, :1], 3, -1))
    shallow = deep((VALUES >> 4).astype(np.uint8), ending)
    assert np.array_equal(decode(shallow, 'a', depth=12), VALUES >> 4), 'images of 8 bits stay'


@pytest.mark.parametrize('ending', ['.png', '.tiff'])
@pytest.mark.parametrize(('shift', 'bits'), [(0, 12), (2, 10), (4, 8)])
def test_dark_images_are_counted(ending, shift, bits):
    dark = DarkImages()
    for number in range(3):
        decode(deep(VALUES >> shift, ending), f'{number}.png', dark=dark)
    decode(deep(VALUES << 4, ending), 'bright', dark=dark)
    decode(deep(VALUES * 0, ending), 'black', dark=dark)
    decode(deep((VALUES >> 8).astype(np.uint8), ending), 'of 8 bits', dark=dark)
    assert (dark.count, dark.first, dark.bits) == (3, '0.png', bits)
    assert dark.text() == (
        f'3 images have 16 bits a channel, of which {bits} are used, and are almost black: 0.png is the first; '
        f'scale with --depth {bits}'
    )


def test_packing_and_checking(tmp_path):
    for name, image in (('a', deep(VALUES)), ('b', deep(VALUES >> 1)), ('c', deep((VALUES >> 4).astype(np.uint8)))):
        (tmp_path / 'source' / 'x').mkdir(parents=True, exist_ok=True)
        (tmp_path / 'source' / 'x' / f'{name}.png').write_bytes(image)
    (part,) = pack(tmp_path / 'source', tmp_path / 'as_is')
    assert (part.dark.count, part.dark.bits, part.converted) == (2, 12, 0)
    assert part.dark.first.endswith('x/a.png')
    assert RecordFile(part.path)[0].image == deep(VALUES)
    (report,) = check_files([part.path]).files
    assert (report.dark.count, report.dark.bits) == (2, 12)
    assert report.dark.first.startswith('record 0 at offset 0')
    assert (report.as_dict()['dark_images'], report.counts) == (2, {})
    (part,) = pack(tmp_path / 'source', tmp_path / 'scaled', depth=12)
    assert (part.dark.count, part.converted) == (0, 2)
    packed = [decode(RecordFile(part.path)[number].image, 'a') for number in range(3)]
    assert np.array_equal(packed[0], np.round(VALUES.astype(float) * 255 / 4095))
    assert np.array_equal(packed[2], VALUES >> 4)
    assert check_files([part.path]).files[0].dark.count == 0


def test_images_and_records_are_opened_with_a_depth(tmp_path):
    (tmp_path / 'x').mkdir()
    (tmp_path / 'x' / 'a.png').write_bytes(deep(VALUES))
    (part,) = pack(tmp_path, tmp_path / 'out')
    dark = DarkImages()
    for image in open_images([str(tmp_path / 'x'), str(part.path)], decoder=partial(decode, dark=dark)):
        assert image.decode().max() <= 16
    assert (dark.count, dark.first) == (2, str(tmp_path / 'x' / 'a.png'))
    for image in open_images([str(tmp_path / 'x'), str(part.path)], decoder=partial(decode, depth=12)):
        assert image.decode().max() == 255
