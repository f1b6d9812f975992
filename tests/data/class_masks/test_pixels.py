"""Masks as PNG, the palette, and regions of COCO as pixels, beside Pillow and pycocotools."""

import io

import cv2
import numpy as np
import pytest

from gluon_cbam.common.errors import DataError
from gluon_cbam.data.boxes.regions import polygon_mask, region_mask, run_mask
from gluon_cbam.data.class_masks.palette import encode_with_palette, palette
from gluon_cbam.data.class_masks.png import decode_mask, encode_mask


def values(bits=8, shape=(7, 9)):
    return np.random.RandomState(0).randint(0, 1 << bits, shape).astype(np.uint8 if bits <= 8 else np.uint16)


def with_palette(mask, bits):
    from PIL import Image

    image, file = Image.fromarray(mask, 'P'), io.BytesIO()
    image.putpalette(list(range(255, -1, -1)) * 3)
    image.save(file, 'PNG', bits=bits)
    return file.getvalue()


@pytest.mark.parametrize('bits', [1, 2, 4, 8])
def test_indices_of_palettes_and_gray_values_of_any_depth(bits):
    mask = values(bits)
    assert np.array_equal(decode_mask(with_palette(mask, bits), 'p'), mask)
    assert np.array_equal(decode_mask(encode_mask(mask), 'g'), mask)
    assert np.array_equal(decode_mask(encode_with_palette(mask), 'v'), mask)


@pytest.mark.parametrize('bits', [1, 2, 4])
def test_gray_values_of_few_bits_are_not_scaled(bits):
    """A PNG of few bits, written by hand, since Pillow and OpenCV write eight."""
    import struct
    import zlib

    mask = values(bits, (3, 8))
    packed = np.unpackbits(mask[..., None], axis=2)[..., 8 - bits :].reshape(3, -1)
    rows = b''.join(b'\0' + np.packbits(row).tobytes() for row in packed)

    def chunk(kind, data):
        return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))

    header = struct.pack('>IIBBBBB', 8, 3, bits, 0, 0, 0, 0)
    png = b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', header) + chunk(b'IDAT', zlib.compress(rows)) + chunk(b'IEND', b'')
    assert np.array_equal(decode_mask(png, 'g'), mask)


def test_what_is_no_mask():
    color = cv2.imencode('.png', np.zeros((4, 5, 3), np.uint8))[1].tobytes()
    deep = cv2.imencode('.png', np.full((4, 5), 300, np.uint16))[1].tobytes()
    shallow = cv2.imencode('.png', np.full((4, 5), 200, np.uint16))[1].tobytes()
    whole = encode_mask(values(shape=(40, 50)))
    assert (decode_mask(shallow, 's') == 200).all()
    for data, reason in (
        (color, 'one value a pixel'),
        (deep, 'values of 0 to 255, got 300'),
        (b'GIF89a', 'must be a PNG'),
        (whole[:-40], 'damaged'),
        (whole[:100] + b'xxxx' + whole[104:], 'damaged'),
    ):
        with pytest.raises(DataError, match=reason) as caught:
            decode_mask(data, 'name.png')
        assert str(caught.value).startswith('name.png: ') and '\n' not in str(caught.value)


def test_colors_are_those_of_pascal_voc():
    """The first colors of the development kit, and that of borders."""
    known = {0: (0, 0, 0), 1: (128, 0, 0), 2: (0, 128, 0), 3: (128, 128, 0), 8: (64, 0, 0), 15: (192, 128, 128)}
    known.update({20: (0, 64, 128), 255: (224, 224, 192)})
    assert {value: tuple(palette()[value].tolist()) for value in known} == known
    assert len({tuple(color) for color in palette().tolist()}) == 256


def test_regions_are_those_of_pycocotools():
    coco = pytest.importorskip('pycocotools.mask')
    random = np.random.RandomState(0)
    for turn in range(120):
        height, width = random.randint(5, 60, 2).tolist()
        points = random.uniform(-4, max(height, width) + 4, (random.randint(3, 9), 2))
        points = points.round() if turn % 4 == 0 else points
        runs = coco.frPyObjects([points.ravel().tolist()], height, width)
        expected = coco.decode(runs)[..., 0].astype(bool)
        assert np.array_equal(polygon_mask(points, height, width), expected)
        assert np.array_equal(run_mask(runs[0]['counts'].decode(), height, width), expected)
    several = [[0, 0, 10, 0, 10, 10], [20, 20, 30, 20, 30, 30, 20, 30]]
    expected = coco.decode(coco.merge(coco.frPyObjects(several, 40, 40))).astype(bool)
    assert np.array_equal(region_mask(several, 40, 40), expected)


def test_run_lengths_go_down_the_columns():
    expected = np.array([[0, 1, 1], [1, 1, 0]], bool)
    assert np.array_equal(region_mask({'size': [2, 3], 'counts': [1, 4, 1]}, 2, 3), expected)
    for counts, size, reason in (
        ([1, 4], [2, 3], '5 pixels'),
        ([-1, 7], [2, 3], 'negative'),
        ([6], [3, 2], 'size|of a pic'),
        ([2**62, 2**62, 2**62, 2**62, 6], [2, 3], 'run lengths of'),
    ):
        with pytest.raises(ValueError, match=reason):
            region_mask({'size': size, 'counts': counts}, 2, 3)


def test_corners_far_outside_are_refused_before_they_fill_the_memory():
    with pytest.raises(ValueError, match=r'a corner of a polygon at 1e\+09 is far outside of a picture of 30 x 20'):
        region_mask([[0, 0, 1e9, 0, 1e9, 1e9]], 20, 30)
