"""Image sizes as users write them, and as they are shown."""

import pytest

from gluon_cbam.common.errors import UsageError
from gluon_cbam.common.image_size import (
    height_width,
    image_size_of,
    image_size_text,
    parse_image_size,
    shown_image_size,
    square_side,
)


@pytest.mark.parametrize(
    ('written', 'size'),
    [
        ('224', 224), ('32,64', (32, 64)), (' 32 , 64', (32, 64)), ('48,48', 48), (16, 16), ([8, 4], (8, 4)),
        ((5, 5), 5), ('4096', 4096),
    ],
)  # fmt: skip
def test_sizes_are_read(written, size):
    found = parse_image_size(written)
    assert (found, type(found)) == (size, type(size))
    assert parse_image_size(image_size_text(found)) == size
    assert height_width(found) == (size if isinstance(size, tuple) else (size, size))


@pytest.mark.parametrize(
    ('written', 'why'),
    [
        ('0', 'must be a positive number of pixels, got 0'), ('-3', 'must be a positive number of pixels, got -3'),
        ('32,0', r'must be a positive number of pixels, got \[32, 0\]'), (True, 'must be a positive .*, got True'),
        ('1,2,3', r'must be one number of pixels, or height and width such as 32,64, got \[1, 2, 3\]'),
        ('large', "must be one number of pixels, or height and width such as 32,64, got 'large'"),
        ('32,', 'must be one number of pixels, or height and width'), ('', 'must be one number of pixels'),
        ([64], 'must be one number of pixels, or height and width'), ('32x64', '.*, or height and width such as 32,64'),
        ('4097', 'must be at most 4096 pixels, got 4097'), ([2, 10**400], 'must be at most 4096 pixels'),
        (32.5, 'must be a positive number of pixels, got 32.5'), (None, 'must be a positive .*, got None'),
    ],
)  # fmt: skip
def test_others_are_refused(written, why):
    with pytest.raises(UsageError, match=f'--image-size {why}') as refused:
        parse_image_size(written, '--image-size')
    assert '\n' not in str(refused.value)


def test_text_is_for_users_alone():
    with pytest.raises(UsageError, match="image_size must be a positive number of pixels, got '32'"):
        image_size_of('32')


def test_sizes_are_shown():
    assert [shown_image_size(size) for size in (224, (32, 64))] == ['224 x 224', '32 x 64 (height x width)']


def test_what_needs_squares():
    assert square_side(112, 'x') == 112
    with pytest.raises(UsageError, match='a head takes square images, got image_size 32,64: give one number of pixels'):
        square_side((32, 64), 'a head')
