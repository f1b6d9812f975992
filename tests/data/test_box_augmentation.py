"""Boxes follow the pixels, and the steps are what their definitions say."""

import math
from dataclasses import replace
from typing import NamedTuple

import cv2
import numpy as np
import pytest
from box_scenes import COLORS, apart, drawn, found

from gluon_cbam.data.boxes.table import Boxes
from gluon_cbam.data.loading import box_augmentation, box_crops
from gluon_cbam.data.loading.box_augmentation import BOX_AUGMENTATIONS
from gluon_cbam.data.loading.box_color import color_map, distortion
from gluon_cbam.data.loading.box_composition import Picture
from gluon_cbam.data.loading.box_crops import Canvas, random_crop
from gluon_cbam.data.loading.box_placement import Frame, place
from gluon_cbam.data.loading.preprocessing import RESIZES, Preprocessing
from gluon_cbam.data.resizing import Region

SIZE = 96
BLACK = Preprocessing(SIZE, mean=(0.0, 0.0, 0.0), resize='stretch')
LETTERBOX = Preprocessing(SIZE, mean=(0.0, 0.0, 0.0), resize='letterbox')
WIDE = Preprocessing((64, 128), mean=(0.0, 0.0, 0.0), resize='stretch')
TALL = Preprocessing((128, 72), mean=(0.0, 0.0, 0.0), resize='letterbox')
SHAPES = [(120, 80), (64, 200), (96, 96), (300, 310)]


class LabeledImage(NamedTuple):
    pixels: np.ndarray
    corners: np.ndarray
    classes: np.ndarray


def augment(name, images, preprocessing, rng):
    """The image that is made of pictures, with its boxes."""
    pictures = [Picture(*pixels.shape[:2], corners, classes) for pixels, corners, classes in images]
    composition = BOX_AUGMENTATIONS[name].plan(pictures, preprocessing, rng)
    pixels = composition.pixels([lambda pixels=each.pixels: pixels for each in images])
    return LabeledImage(pixels, *composition.joined(pictures))


@pytest.fixture
def plain_colors(monkeypatch):
    for colors in ('distortion', 'color_lighting'):
        monkeypatch.setattr(box_augmentation, colors, lambda rng: None)


def labeled(height, width, count, seed, kinds=None):
    boxes = apart(height, width, count, seed)
    classes = boxes.classes if kinds is None else kinds
    pixels = drawn(height, width, Boxes.of(boxes.corners, classes))
    return LabeledImage(pixels, boxes.corners, np.asarray(classes, np.int64))


def pictures_of(name, seed):
    """As many pictures as an augmentation takes; the classes of four are different, so that each is found again."""
    shape = SHAPES[seed % len(SHAPES)]
    if BOX_AUGMENTATIONS[name].pictures == 1:
        return [labeled(*shape, 1 + seed % 4, seed)]
    return [labeled(*SHAPES[number], 1, seed + number, [number]) for number in range(4)]


@pytest.mark.usefixtures('plain_colors')
@pytest.mark.parametrize(
    'preprocessing', [BLACK, LETTERBOX, WIDE, TALL], ids=['stretch', 'letterbox', 'wide, stretch', 'tall, letterbox']
)
@pytest.mark.parametrize('name', BOX_AUGMENTATIONS)
def test_boxes_are_where_the_pixels_are(name, preprocessing):
    seen, (height, width) = 0, preprocessing.shape
    for seed in range(120):
        images = pictures_of(name, seed)
        result = augment(name, images, preprocessing, np.random.default_rng(seed))
        assert result.pixels.shape == (height, width, 3)
        assert result.pixels.dtype == np.uint8
        assert len(set(result.classes.tolist())) == len(result.classes) == len(result.corners)
        for box, kind in zip(result.corners, result.classes):
            assert (box >= 0).all()
            assert (box <= (width, height, width, height)).all()
            if (box[2:] - box[:2]).min() >= 4:
                assert np.abs(found(result.pixels, kind) - box).max() <= 1.01, (seed, box, found(result.pixels, kind))
                seen += 1
        lost = set(np.concatenate([image.classes for image in images]).tolist()) - set(result.classes.tolist())
        assert not lost or name in ('ssd', 'mosaic', 'centernet')
    assert seen > 100


@pytest.mark.parametrize('name', BOX_AUGMENTATIONS)
def test_pictures_without_objects(name):
    for seed in range(40):
        empty = [
            LabeledImage(image.pixels, np.zeros((0, 4)), np.zeros(0, np.int64)) for image in pictures_of(name, seed)
        ]
        result = augment(name, empty, BLACK, np.random.default_rng(seed))
        assert result.pixels.shape == (SIZE, SIZE, 3)
        assert (result.corners.shape, result.classes.shape) == ((0, 4), (0,))


@pytest.mark.parametrize('shape', [(1, 1), (1, 500), (2000, 2)])
@pytest.mark.parametrize('name', BOX_AUGMENTATIONS)
def test_pictures_of_any_shape(name, shape):
    for seed in range(60):
        image = LabeledImage(
            np.zeros((*shape, 3), np.uint8), np.array([[0, 0, shape[1], shape[0]]], float), np.array([0])
        )
        images = [image] * BOX_AUGMENTATIONS[name].pictures
        for size in (1, 8):
            preprocessing = Preprocessing(size, resize=RESIZES[seed % 3])
            result = augment(name, images, preprocessing, np.random.default_rng(seed))
            assert result.pixels.shape == (size, size, 3)
            assert np.isfinite(result.corners).all()


def test_half_are_mirrored():
    image, rng = labeled(96, 96, 1, 0), np.random.default_rng(0)
    flip = [augment('flip', [image], BLACK, rng) for _ in range(400)]
    mirrored = [not np.array_equal(each.corners, image.corners) for each in flip]
    assert np.mean(mirrored) == pytest.approx(0.5, abs=0.08)
    other = flip[mirrored.index(True)]
    assert np.array_equal(other.pixels, image.pixels[:, ::-1])
    left, top, right, bottom = image.corners[0]
    assert other.corners.tolist() == [[96 - right, top, 96 - left, bottom]]


@pytest.mark.parametrize('preprocessing', [BLACK, LETTERBOX], ids=['stretch', 'letterbox'])
def test_none_is_the_preprocessing_of_validation(preprocessing):
    image = labeled(120, 80, 3, 5)
    result = augment('none', [image], preprocessing, np.random.default_rng(0))
    assert np.array_equal(result.pixels, preprocessing.crop(image.pixels))
    back = preprocessing.to_image(result.corners.reshape(-1, 2), 120, 80).reshape(-1, 4)
    assert np.allclose(back, image.corners, atol=1e-9)


@pytest.mark.usefixtures('plain_colors')
def test_a_letterboxed_picture_is_mirrored_in_its_place(monkeypatch):
    monkeypatch.setattr(box_augmentation, 'happens', lambda rng: True)
    image, rng = labeled(96, 48, 1, 0), np.random.default_rng(0)  # 96 x 48 is not resized, and fills the left half
    result = augment('flip', [image], replace(LETTERBOX, mean=(1.0, 1.0, 1.0)), rng)
    assert np.array_equal(result.pixels[:, :48], image.pixels[:, ::-1])
    assert (result.pixels[:, 48:] == 255).all()
    left, top, right, bottom = image.corners[0]
    assert result.corners.tolist() == [[48 - right, top, 48 - left, bottom]]


@pytest.mark.usefixtures('plain_colors')
def test_a_crop_of_ssd_keeps_its_aspect_ratio_in_a_letterbox(monkeypatch):
    """A crop of 80 x 40 pixels becomes 40 x 20; what is beside it in the picture is not seen."""
    preprocessing = Preprocessing(40, mean=(0.2, 0.4, 0.6), resize='letterbox')
    pixels = np.random.RandomState(0).randint(0, 256, (120, 160, 3), np.uint8)
    draws = iter([False, False])
    monkeypatch.setattr(box_augmentation, 'happens', lambda rng: next(draws))
    monkeypatch.setattr(box_augmentation, 'random_crop', lambda *_: Region(20, 60, 80, 40))
    monkeypatch.setattr(box_augmentation, 'up_to', lambda rng, most: 0)
    image = LabeledImage(pixels, np.array([[70, 40, 110, 60], [0, 0, 20, 20]], float), np.array([3, 1]))
    result = augment('ssd', [image], preprocessing, np.random.default_rng(0))
    expected = np.empty((40, 40, 3), np.uint8)
    expected[:] = (51, 102, 153)
    expected[:, :20] = cv2.resize(pixels[20:100, 60:100], (20, 40), interpolation=cv2.INTER_NEAREST)
    assert np.array_equal(result.pixels, expected)
    assert result.corners.tolist() == [[5, 10, 20, 20]]  # clipped at the edge of the crop
    assert result.classes.tolist() == [3]


# the same by a canvas that is really filled


@pytest.mark.usefixtures('plain_colors')
@pytest.mark.parametrize('interpolation', [0, 1, 2])
@pytest.mark.parametrize('flip', [False, True])
def test_ssd_equals_a_crop_of_a_filled_canvas(monkeypatch, interpolation, flip):
    preprocessing = Preprocessing(40, mean=(0.2, 0.4, 0.6), resize='stretch')
    pixels = np.random.RandomState(0).randint(0, 256, (48, 64, 3), np.uint8)
    boxes = np.array([[10, 4, 30, 20], [40, 30, 60, 46], [2, 2, 6, 6]], float)
    canvas = Canvas(120, 160, 16, 32)
    draws = iter([True, flip])
    monkeypatch.setattr(box_augmentation, 'happens', lambda rng: next(draws))
    monkeypatch.setattr(box_augmentation, '_expansion', lambda *_: canvas)
    monkeypatch.setattr(box_augmentation, 'random_crop', lambda *_: Region(8, 40, 80, 80))
    monkeypatch.setattr(box_augmentation, 'up_to', lambda rng, most: interpolation)
    image = LabeledImage(pixels, boxes, np.array([3, 1, 2]))
    result = augment('ssd', [image], preprocessing, np.random.default_rng(0))

    filled = np.empty((120, 160, 3), np.uint8)
    filled[:] = (51, 102, 153)
    filled[16:64, 32:96] = pixels
    kind = (cv2.INTER_NEAREST, cv2.INTER_LINEAR, cv2.INTER_CUBIC)[interpolation]
    expected = cv2.resize(filled[8:88, 40:120], (40, 40), interpolation=kind)
    inside = expected[4:28, :28]  # rows 16 - 8 = 8 to 56, columns 0 to 56, by two
    mine = result.pixels[:, ::-1] if flip else result.pixels
    edge = 4 if interpolation == 2 else 0  # cubic weights reach over the border of the picture
    assert np.array_equal(mine[4 + edge : 28 - edge, : 28 - edge], inside[edge : 24 - edge, : 28 - edge])
    assert (mine[:4] == (51, 102, 153)).all()
    assert (mine[28:] == (51, 102, 153)).all()
    assert (mine[:, 28:] == (51, 102, 153)).all()

    moved = (boxes + [32, 16, 32, 16] - [40, 8, 40, 8]) / 2
    moved = moved[[0, 1]].clip(0, 40)  # the center of the third is left of the crop
    if flip:
        moved = np.column_stack([40 - moved[:, 2], moved[:, 1], 40 - moved[:, 0], moved[:, 3]])
    assert np.allclose(result.corners, moved)
    assert result.classes.tolist() == [3, 1]


# crops


class _First:
    """A generator whose permutations begin with a number."""

    def __init__(self, seed, first):
        self._rng, self._first = np.random.default_rng(seed), first

    def __getattr__(self, name):
        return getattr(self._rng, name)

    def permutation(self, count):
        return np.array([self._first, *(number for number in range(count) if number != self._first)])


def iou(crop, box):
    left, top, right, bottom = box
    width = min(crop.left + crop.width, right) - max(crop.left, left)
    height = min(crop.top + crop.height, bottom) - max(crop.top, top)
    common = max(width, 0) * max(height, 0)
    return common / (crop.width * crop.height + (right - left) * (bottom - top) - common)


@pytest.mark.parametrize(('rule', 'least'), [*enumerate([0.1, 0.3, 0.5, 0.7, 0.9, 0.0])])
def test_crops_fulfill_their_rule(rule, least):
    """A rule that 50 crops do not fulfill gives way to another, which happens for the strict ones."""
    canvas, picture = Canvas(200, 300, 0, 0), Region(0, 0, 200, 300)
    boxes = np.array([[20, 10, 290, 190], [200, 100, 290, 190.0]])
    crops = [random_crop(canvas, picture, boxes, _First(seed, rule)) for seed in range(200)]
    centers = [((left + right) / 2, (top + bottom) / 2) for left, top, right, bottom in boxes]
    for crop in crops:
        right, bottom = crop.left + crop.width, crop.top + crop.height
        assert crop.left >= 0 <= crop.top
        assert right <= 300
        assert bottom <= 200
        assert 0.45 < (crop.width / 300) / (crop.height / 200) < 2.2
        assert crop.width >= 0.3 * 300 / math.sqrt(2) - 1
        assert crop.height >= 0.3 * 200 / math.sqrt(2) - 1
        assert any(crop.left <= x < right and crop.top <= y < bottom for x, y in centers)
    fulfilled = [max(iou(crop, box) for box in boxes) >= least for crop in crops]
    assert np.mean(fulfilled) > (0.98 if least < 0.9 else 0.5)
    assert len({crop for crop, fits in zip(crops, fulfilled) if fits}) > (190 if least < 0.9 else 50)


@pytest.mark.parametrize('sides', [(1, 1), (9, 7), (30, 200), (375, 500)])
def test_no_crop_is_smaller_than_the_smallest(sides):
    """Rules whose overlap the largest object cannot have with the smallest crop are left out without a draw."""
    canvas, picture, rng = Canvas(*sides, 0, 0), Region(0, 0, *sides), np.random.default_rng(0)
    areas = []
    for _ in range(200):
        for left, top, right, bottom in box_crops._random_crops(canvas, math.inf, picture, rng):
            assert 0 <= top < bottom <= sides[0]
            assert 0 <= left < right <= sides[1]
            areas.append((bottom - top) * (right - left))
    assert len(areas) == 200 * 50
    assert np.min(areas) >= box_crops._smallest(canvas)
    assert box_crops._smallest(Canvas(375, 500, 0, 0)) > 0.08 * 375 * 500


def test_crops_that_are_left_out_are_too_large():
    """Of 50 crops, those that cannot overlap enough are left out before they are computed, and no others."""
    canvas, picture = Canvas(375, 500, 0, 0), Region(0, 0, 375, 500)
    for largest in (0, 20_000, 60_000, 120_000):
        every = list(box_crops._random_crops(canvas, math.inf, picture, np.random.default_rng(largest)))
        some = list(box_crops._random_crops(canvas, largest, picture, np.random.default_rng(largest)))
        fitting, kept = (
            [
                (left, top, right, bottom)
                for left, top, right, bottom in crops
                if (bottom - top) * (right - left) <= largest
            ]
            for crops in (every, some)
        )
        assert fitting == kept
        assert set(some) <= set(every)
        assert len(some) < 50


def test_crops_beside_the_picture_are_left_out():
    """The same crops without those that show nothing of it."""
    canvas, picture = Canvas(375, 500, 40, 300), Region(40, 300, 90, 120)
    whole = Region(0, 0, 375, 500)
    every = list(box_crops._random_crops(canvas, math.inf, whole, np.random.default_rng(0)))
    some = list(box_crops._random_crops(canvas, math.inf, picture, np.random.default_rng(0)))
    seen = np.zeros((375, 500), bool)
    seen[40:130, 300:420] = True
    assert some == [(x1, y1, x2, y2) for x1, y1, x2, y2 in every if seen[y1:y2, x1:x2].any()]
    assert 0 < len(some) < len(every)


def test_the_last_rule_is_the_whole():
    canvas, picture = Canvas(200, 300, 0, 0), Region(0, 0, 200, 300)
    assert random_crop(canvas, picture, np.array([[20, 10, 290, 190.0]]), _First(0, 6)) == Region(0, 0, 200, 300)


def test_rules_are_drawn_evenly():
    canvas, picture = Canvas(200, 200, 0, 0), Region(0, 0, 200, 200)
    boxes = np.array([[0, 0, 200, 200.0]])
    rng = np.random.default_rng(1)
    crops = [random_crop(canvas, picture, boxes, rng) for _ in range(1400)]
    whole = np.mean([crop == Region(0, 0, 200, 200) for crop in crops])
    assert whole == pytest.approx(1 / 7, abs=0.03)
    shares = np.array([iou(crop, boxes[0]) for crop in crops])
    assert np.mean(shares >= 0.9) > 1 / 7 + 0.1, 'the whole picture, and the rule of 0.9'


def test_expansions_are_one_to_four_times():
    rng = np.random.default_rng(0)
    found_ones = [box_augmentation._expansion(50, 80, rng) for _ in range(500)]
    factors = np.array([each.height / 50 for each in found_ones])
    assert factors.min() < 1.1
    assert 3.9 < factors.max() <= 4
    for each in found_ones:
        assert each.width == pytest.approx(each.height * 1.6, abs=2)
        assert 0 <= each.top <= each.height - 50
        assert 0 <= each.left <= each.width - 80


# the scale and shift of CenterNet


def affine(scale, center, shape, size):
    """The map of CenterNet's code, of x and y in pixels of a picture, letterboxed: factor and summand of each."""
    factor = size / (max(shape) * scale)
    return factor, [size / 2 - factor * place for place in center]


@pytest.mark.usefixtures('plain_colors')
@pytest.mark.parametrize('flip', [False, True])
@pytest.mark.parametrize(
    ('number', 'center', 'shape'),
    [(0, (130, 129), (300, 420)), (3, (210, 160), (300, 420)), (7, (290, 171), (300, 420)), (5, (25, 100), (200, 60))],
)
def test_centernet_equals_an_affine_warp(monkeypatch, number, center, shape, flip):
    """Letterboxes and placements are of whole pixels: smooth pictures equal the warp to these, and boxes the map."""
    size, (height, width), draws = 128, shape, iter(center)
    monkeypatch.setattr(box_augmentation, 'up_to', lambda rng, most: number)
    monkeypatch.setattr(box_augmentation, 'uniform', lambda rng, low, high: next(draws))
    monkeypatch.setattr(box_augmentation, 'happens', lambda rng: flip)
    rows, columns = np.mgrid[:height, :width]
    pixels = np.stack([40 + rows * 150 // height, 40 + columns * 150 // width, 200 - rows * 150 // height], -1)
    image = LabeledImage(pixels.astype(np.uint8), np.array([[0, 0, width, height], [20, 90, 50, 180]], float), [4, 2])
    preprocessing = Preprocessing(size, mean=(0.0, 0.0, 0.0), resize='letterbox')
    result = augment('centernet', [LabeledImage(*image[:2], np.array(image.classes))], preprocessing, None)

    factor, summands = affine(0.6 + 0.1 * number, center, shape, size)
    matrix = np.array([[factor, 0, summands[0]], [0, factor, summands[1]]])
    matrix[:, 2] += 0.5 * factor - 0.5  # from edges of pixels to their centers, which OpenCV counts
    warped = cv2.warpAffine(image.pixels, matrix, (size, size), flags=cv2.INTER_LINEAR)
    mine = result.pixels[:, ::-1] if flip else result.pixels
    both = (mine > 0).all(axis=2) & (warped > 30).all(axis=2)  # black weighs in at the edges of the warp
    assert both.mean() > 0.2
    assert ((mine > 0).all(axis=2) != (warped > 20).all(axis=2)).sum() <= 4 * size, 'a pixel at each edge'
    per_pixel = 150 / min(shape) / factor
    assert np.abs(mine[both].astype(int) - warped[both]).max() <= 0.6 * per_pixel + 2

    moved = (image.corners * factor + np.tile(summands, 2)).clip(0, size)
    kept = (moved[:, 2:] - moved[:, :2]).min(axis=1) >= 1
    assert kept.any()
    if flip:
        moved[:, ::2] = size - moved[:, 2::-2]
    assert result.classes.tolist() == np.array(image.classes)[kept].tolist()
    assert np.abs(result.corners - moved[kept]).max() < 0.6


@pytest.mark.usefixtures('plain_colors')
def test_centernet_keeps_boxes_of_which_a_pixel_is_seen(monkeypatch):
    monkeypatch.setattr(box_augmentation, 'up_to', lambda rng, most: 4)  # the size of the picture
    monkeypatch.setattr(box_augmentation, 'uniform', lambda rng, low, high: 384)  # 128 pixels are cut off
    monkeypatch.setattr(box_augmentation, 'happens', lambda rng: False)
    boxes = np.array([[0, 0, 129, 400], [0, 0, 128.5, 400], [100, 100, 600, 600], [130, 130, 130.5, 140]], float)
    image = LabeledImage(np.zeros((512, 512, 3), np.uint8), boxes, np.array([0, 1, -2, 3]))
    result = augment('centernet', [image], Preprocessing(512, resize='letterbox'), None)
    assert result.corners.tolist() == [[0, 0, 1, 272], [0, 0, 384, 384]]
    assert result.classes.tolist() == [0, -2]


def test_centernet_draws_scales_and_centers_evenly():
    seen, centers = [], []
    picture = Picture(300, 500, np.zeros((0, 4)), np.zeros(0, np.int64))
    for seed in range(600):
        plan = box_augmentation.centernet(
            [picture], Preprocessing(1000, resize='letterbox'), np.random.default_rng(seed)
        )
        source, target = plan.parts[0].placement
        factor = target.width / source.width
        seen.append(2 / factor)
        centers.append([
            source.left + (500 - target.left) / factor, source.top + (500 - target.top) * source.height / target.height
        ])  # fmt: skip
    tenths = np.round(np.array(seen) * 10)
    assert np.abs(np.array(seen) * 10 - tenths).max() < 0.05
    assert np.unique(tenths).tolist() == list(range(6, 14))
    assert np.unique(tenths, return_counts=True)[1].min() > 40
    low, high = np.min(centers, axis=0), np.max(centers, axis=0)
    assert low == pytest.approx([128, 128], abs=3)
    assert high == pytest.approx([372, 172], abs=3)


@pytest.mark.parametrize('length', [1, 2, 3, 64, 65, 200, 256, 257, 4000])
def test_borders_of_centernet_are_halved_until_they_fit(length):
    assert box_augmentation._border(length) == max(128 >> n for n in range(9) if length - (128 >> n) > 128 >> n)


# placement


def test_a_place_outside_the_window_shows_nothing():
    assert place(10, 10, Frame(-20, 0, 0, 20), Region(0, 0, 20, 20)) is None
    assert place(10, 10, Frame(0, 20, 20, 40), Region(0, 0, 20, 20)) is None
    assert place(10, 10, Frame(5, 5, 5.2, 15), Region(0, 0, 20, 20)) is None, 'less than a pixel'


# colors


def by_steps(pixels, rng, contrast_first):
    """The distortion step by step on floats, in one of GluonCV's orders, from the definitions of the steps."""

    def draw(low, high):
        return rng.uniform(low, high) if rng.random() < 0.5 else None

    def brightness(values, amount):
        return values if amount is None else values + amount

    def contrast(values, factor):
        return values if factor is None else values * factor

    def saturation(values, factor):
        if factor is None:
            return values
        gray = 0.299 * values[..., :1] + 0.587 * values[..., 1:2] + 0.114 * values[..., 2:]
        return gray + factor * (values - gray)

    def hue(values, angle):
        if angle is None:
            return values
        red, green, blue = np.moveaxis(values, -1, 0)
        luma = 0.299 * red + 0.587 * green + 0.114 * blue
        chroma = (0.596 * red - 0.274 * green - 0.322 * blue) + 1j * (0.211 * red - 0.523 * green + 0.312 * blue)
        turned = chroma * np.exp(1j * angle)
        matrix = [[0.299, 0.587, 0.114], [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]]
        return np.linalg.solve(matrix, np.stack([luma, turned.real, turned.imag]).reshape(3, -1)).T.reshape(
            values.shape
        )

    amount = draw(-32, 32)
    factor = draw(0.5, 1.5)
    angle = draw(-math.pi / 10, math.pi / 10)
    strength = draw(0.5, 1.5)
    values = brightness(pixels.astype(float), amount)
    if contrast_first:
        return hue(saturation(contrast(values, factor), strength), angle)
    return contrast(hue(saturation(values, strength), angle), factor)


def test_colors_equal_the_steps():
    pixels = np.random.RandomState(0).randint(0, 256, (12, 10, 3), np.uint8)
    changed = 0
    for seed in range(200):
        recolor = distortion(np.random.default_rng(seed))
        mine = pixels if recolor is None else recolor(pixels)
        for contrast_first in (False, True):
            expected = by_steps(pixels, np.random.default_rng(seed), contrast_first)
            assert np.abs(mine - expected.clip(0, 255)).max() < 1, 'the coefficients of OpenCV have ten bits'
        changed += not np.array_equal(mine, pixels)
    assert changed == pytest.approx(200 * 15 / 16, abs=12)


def test_gray_stays_gray_under_any_hue():
    for seed in range(50):
        colors = color_map(np.random.default_rng(seed))
        assert colors is None or np.ptp(colors @ [100, 100, 100, 1]) < 1e-9


def test_the_ground_is_not_distorted():
    image = labeled(60, 60, 1, 0)
    preprocessing = Preprocessing(SIZE, resize='stretch')
    mean = np.round(255 * np.array(preprocessing.mean)).astype(np.uint8)
    grounds = 0
    for seed in range(60):
        pixels = augment('ssd', [image], preprocessing, np.random.default_rng(seed)).pixels
        grounds += (pixels == mean).all(axis=2).mean() > 0.1
    assert grounds > 15


def test_colors_of_the_test_are_told_apart():
    assert len({tuple(color) for color in COLORS.tolist()}) == len(COLORS)
