"""Parts of the figures: places, colors, texts, names."""

import cv2
import matplotlib
import numpy as np
import pytest

from gluon_cbam.explain import Grid
from gluon_cbam.explain.figures.canvas import Canvas, fit_text
from gluon_cbam.explain.figures.output_directory import FigurePaths
from gluon_cbam.explain.figures.overlay import COLORMAP, OPACITY, color_limits, overlay_map, resize_into


def test_an_overlay_has_the_cell_at_its_place_and_the_color_of_its_value():
    heat = np.zeros((4, 4), np.float32)
    heat[1, 2] = 1
    pixels = np.full((16, 16, 3), 100, np.uint8)
    drawn = overlay_map(pixels, heat, Grid((4, 4), (0, 0)), (0, 1), 256).astype(float)
    hot, cold = (
        np.array(matplotlib.colormaps[COLORMAP](value)[:3]) * 255 * OPACITY + 100 * (1 - OPACITY)
        for value in (1.0, 0.0)
    )
    distance = np.abs(drawn - hot).sum(axis=2)
    place = np.unravel_index(distance.argmin(), distance.shape)
    assert np.abs(np.subtract(place, (4.5 * 16 - 0.5, 8.5 * 16 - 0.5))).max() <= 1  # center of pixel (4, 8)
    assert distance.min() < 12
    np.testing.assert_allclose(drawn[-1, 0], cold, atol=1)


def test_limits_of_flat_maps():
    assert color_limits(np.array([[0.2, 0.7]])) == (0.2, 0.7)
    low, high = color_limits(np.array([[0.5, 0.5 + 1e-5]]))
    assert low < 0.5 - 5e-4 and high > 0.5 + 5e-4


def test_small_images_keep_their_pixels_as_squares():
    pixels = np.random.RandomState(0).randint(0, 256, (4, 4, 3)).astype(np.uint8)
    assert (resize_into(pixels, 64) == pixels.repeat(16, 0).repeat(16, 1)).all()


def test_an_image_that_is_not_square_keeps_its_aspect_ratio():
    """A map of one cell for each pixel: the colors are where the pixels are."""
    heat = np.zeros((4, 8), np.float32)
    heat[1, 6] = 1
    pixels = np.full((4, 8, 3), 100, np.uint8)
    drawn = overlay_map(pixels, heat, None, (0, 1), 128).astype(int)
    assert drawn.shape == (64, 128, 3) == resize_into(pixels, 128).shape
    hot = np.array(matplotlib.colormaps[COLORMAP](1.0)[:3]) * 255 * OPACITY + 100 * (1 - OPACITY)
    distance = np.abs(drawn - hot).sum(axis=2)
    assert np.abs(np.subtract(np.unravel_index(distance.argmin(), distance.shape), (23.5, 103.5))).max() <= 1


@pytest.mark.parametrize('side', [(300, 200)])
def test_images_keep_their_pixels_and_place_in_the_file(tmp_path, side):
    pixels = np.random.RandomState(0).randint(0, 256, (60, 80, 3)).astype(np.uint8)
    canvas = Canvas(*side)
    left, top, width, height = canvas.image(pixels, 33, 47)
    canvas.save(tmp_path / 'a.png')
    drawn = cv2.imread(str(tmp_path / 'a.png'))[..., ::-1]
    assert drawn.shape == (200, 300, 3)
    assert (drawn[top : top + height, left : left + width] == pixels).all()
    assert (drawn[:, : left - 1] == 255).all() and (drawn[: top - 1] == 255).all()


@pytest.mark.parametrize(
    'text', ['a$b$c.png', r'$\frac{$', 'a\nb', 'caf\udce9.png', 'x' * 500, 'WWW' * 20, '\u732b.png']
)
def test_any_file_name_can_be_drawn(tmp_path, text, recwarn):
    canvas = Canvas(200, 40)
    canvas.text(text, 2, 2, 190)
    canvas.save(tmp_path / 'a.png')
    drawn = cv2.imread(str(tmp_path / 'a.png'))
    assert (drawn[:20, :195] != 255).any() and (drawn[:, 195:] == 255).all() and (drawn[20:] == 255).all()
    assert not recwarn


def test_the_middle_of_a_long_name_is_left_out():
    name = 'a_folder_with_a_long_name/and_a_file_with_one.png'
    start, end = fit_text(name, 200).split('\N{HORIZONTAL ELLIPSIS}')
    assert name.startswith(start) and name.endswith(end) and len(start + end) > 20
    assert fit_text(name, 1000) == name


def test_no_figure_overwrites_an_input_or_another_figure(tmp_path):
    (tmp_path / 'link').symlink_to(tmp_path)
    name = FigurePaths(tmp_path, ['a/cat.jpg', str(tmp_path / 'link' / 'cat_2.png'), 'b/cat.png', 'b/dog.png'])
    assert [name(file).name for file in ('a/cat.jpg', 'b/cat.png', 'b/dog.png', 'cat_3.bmp')] == [
        'cat.png',
        'cat_3.png',
        'dog.png',
        'cat_3_2.png',
    ]
