"""The operations of policies, compared with Pillow."""

import cv2
import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps

from gluon_cbam.data.loading.policies import affine, enhancement, tones
from gluon_cbam.data.loading.policies.operations import OPERATIONS

SHAPES = ((50, 70, 3), (50, 70, 1), (2, 9, 3), (1, 1, 3), (1, 1, 1))
KINDS = {
    'any value': lambda noise: noise,
    'little contrast': lambda noise: noise // 4 + 60,
    'one value': lambda noise: np.full_like(noise, 7),
    'two values': lambda noise: np.where(np.arange(noise.size).reshape(noise.shape) < 3, 7, 200),
}
PICTURES = [(shape, kind) for shape in SHAPES for kind in KINDS]
FILL = np.array([124, 116, 104], np.uint8)


def picture(shape, kind):
    noise = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    return KINDS[kind](noise).astype(np.uint8)


def pillow(pixels):
    return Image.fromarray(pixels if pixels.shape[2] == 3 else pixels[..., 0])


def difference(ours, theirs):
    """The largest difference of values from an image of Pillow."""
    assert ours.dtype == np.uint8
    return int(np.abs(ours.astype(int) - np.asarray(theirs).reshape(ours.shape)).max())


@pytest.mark.parametrize(('shape', 'kind'), PICTURES)
def test_tones_are_exactly_those_of_pillow(shape, kind):
    pixels = picture(shape, kind)
    image, before = pillow(pixels), pixels.copy()
    for bits in range(1, 9):
        assert difference(tones.posterize(pixels, bits), ImageOps.posterize(image, bits)) == 0
    for threshold in (0, 1, 128, 230, 255, 256):
        assert difference(tones.solarize(pixels, threshold), ImageOps.solarize(image, threshold)) == 0
    for ours, theirs in (
        (tones.invert, ImageOps.invert), (tones.autocontrast, ImageOps.autocontrast),
        (tones.equalize, ImageOps.equalize),
    ):  # fmt: skip
        assert difference(ours(pixels), theirs(image)) == 0
    added = np.where(pixels < 128, np.minimum(pixels.astype(int) + 99, 255), pixels)
    assert difference(tones.solarize_add(pixels, 99), added) == 0
    assert not tones.posterize(pixels, 0).any()
    assert np.array_equal(pixels, before)


@pytest.mark.parametrize('factor', [0.01, 0.1, 0.5, 1, 1.3, 1.9, 1.99])
@pytest.mark.parametrize(('shape', 'kind'), PICTURES)
def test_enhancements_are_those_of_pillow_to_rounding(shape, kind, factor):
    pixels = picture(shape, kind)
    for name, tolerance in (('brightness', 1), ('contrast', 1), ('color', 2), ('sharpness', 1)):
        theirs = getattr(ImageEnhance, name.capitalize())(pillow(pixels)).enhance(factor)
        assert difference(getattr(enhancement, name)(pixels, factor), theirs) <= (tolerance if factor != 1 else 0)


def shear(factor):
    return [[1, factor, 0], [0, 1, 0]]


def turn(degrees, height=50, width=70):
    """The matrix of a counter-clockwise rotation, from a place in the result to its place in the image; y is down."""
    sine, cosine = np.sin(np.radians(degrees)), np.cos(np.radians(degrees))
    about = np.array([[cosine, -sine], [sine, cosine]])
    center = np.array([width, height]) / 2
    return np.column_stack([about, center - about @ center])


TRANSFORMS = [
    *(('shear_x', value, shear(value)) for value in (0.3, -0.27, 0.99)),
    *(('shear_y', value, np.array(shear(value))[::-1][:, [1, 0, 2]]) for value in (0.3, -0.27)),
    *(('translate_x', value, [[1, 0, value], [0, 1, 0]]) for value in (5.3, -8, 20.7)),
    *(('translate_y', value, [[1, 0, 0], [0, 1, value]]) for value in (5.3, -8)),
    *(('rotate', value, turn(value)) for value in (17, -30, 135)),
]


@pytest.mark.parametrize('channels', [1, 3])
@pytest.mark.parametrize(('name', 'value', 'matrix'), TRANSFORMS)
def test_affine_transforms_are_those_of_pillow(name, value, matrix, channels):
    """Inside to rounding, and exactly the fill color outside."""
    small = np.random.default_rng(1).integers(0, 256, (5, 6, 3), np.uint8)
    pixels = cv2.resize(small, (70, 50), interpolation=cv2.INTER_CUBIC)[..., :channels].copy()
    fill = tuple(FILL[:channels].tolist())
    theirs = pillow(pixels).transform(
        (70, 50), Image.Transform.AFFINE, np.ravel(matrix).tolist(), resample=Image.Resampling.BILINEAR,
        fillcolor=fill if channels == 3 else fill[0],
    )  # fmt: skip
    if name == 'rotate':
        turned = pillow(pixels).rotate(value, Image.Resampling.BILINEAR, fillcolor=fill if channels == 3 else fill[0])
        assert np.abs(np.asarray(turned).astype(int) - np.asarray(theirs)).max() <= 1
    ours = getattr(affine, name)(pixels, value, FILL[:channels])
    rows, columns = np.mgrid[:50, :70] + 0.5
    x, y = (np.array(matrix)[:, :2] @ [columns.ravel(), rows.ravel()] + np.array(matrix)[:, 2:]).reshape(2, 50, 70)
    # signed distance from the border of the image, positive inside
    inside = np.minimum(np.minimum(x, 70 - x), np.minimum(y, 50 - y))
    differences = np.abs(ours.astype(int) - np.asarray(theirs).reshape(ours.shape)).max(axis=2)
    assert differences[inside >= 1].max() <= 3  # OpenCV 4 rounds places to 1/32 of a pixel; 1 of OpenCV 5
    assert (inside >= 1).mean() > 0.3
    assert (ours[inside <= -1] == FILL[:channels]).all()


def test_translations_by_a_part_of_the_side():
    pixels = picture((50, 70, 3), 'any value')
    for name, direction, length in (('translate_x_rel', 'translate_x', 70), ('translate_y_rel', 'translate_y', 50)):
        ours = OPERATIONS[name](pixels, 0.1, FILL)
        assert np.array_equal(ours, OPERATIONS[direction](pixels, 0.1 * length, FILL))
