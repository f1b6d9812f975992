"""Headers of image files: their sizes, and images that state more pixels than there are or may be."""

import io
import json
import re
import struct
import subprocess
import sys
import zlib

import cv2
import numpy as np
import pytest
from odd_images import READABLE
from PIL import Image
from records import encoded, photo

from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.common.limits import MAX_PIXELS, max_pixels
from gluon_cbam.data.decoding import EncodedImage, decode, format_of, image_size

PHOTO = Image.fromarray(photo(30, 40))


def saved(form, **options):
    file = io.BytesIO()
    PHOTO.save(file, form, **options)
    return file.getvalue()


def chunk(kind, data):
    return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))


def png(width, height, data=b'', bits=8, color=2):
    """A PNG of any size with any compressed data."""
    header = chunk(b'IHDR', struct.pack('>IIBBBBB', width, height, bits, color, 0, 0, 0))
    return b'\x89PNG\r\n\x1a\n' + header + chunk(b'IDAT', data) + chunk(b'IEND', b'')


def with_bytes(image, at, new):
    """An image with other bytes in one place."""
    return image[:at] + new + image[at + len(new) :]


def too_large():
    """Images of each format that state 30,000 x 30,000 pixels, or as many as their format can."""
    jpeg, gif, bmp = encoded(), saved('GIF'), saved('BMP')
    tiff, webp, lossless = saved('TIFF'), saved('WEBP'), saved('WEBP', lossless=True)
    frame = jpeg.index(b'\xff\xc0')
    image = gif.index(b',', 13 + 3 * 256)
    white = zlib.compress(bytes(30_000 // 8 + 1) * 30_000, 9)
    found = {
        'jpeg': with_bytes(jpeg, frame + 5, struct.pack('>HH', 30_000, 30_000)),
        'arithmetic.jpeg': with_bytes(jpeg, frame + 1, b'\xc9\x00\x11\x08' + struct.pack('>HH', 30_000, 30_000)),
        'png': png(30_000, 30_000, white, 1, 0),
        'little.png': png(30_000, 30_000, zlib.compress(bytes(99))),
        'chunk.png': with_bytes(png(4, 4, bytes(30)), 33, b'\x7f\xff\xff\xff'),
        'bmp': with_bytes(bmp, 18, struct.pack('<ii', 30_000, -30_000)),
        'gif': with_bytes(gif, 6, struct.pack('<HH', 30_000, 30_000)),
        'frame.gif': with_bytes(gif, image + 5, struct.pack('<HH', 30_000, 30_000)),
        'webp': with_bytes(webp, 26, struct.pack('<HH', 16_383, 16_383)),
        'lossless.webp': with_bytes(lossless, 21, struct.pack('<I', 16_382 << 14 | 16_382)),
        'extended.webp': with_bytes(
            saved('WEBP', exif=b'Exif\0\0MM'), 24, (29_999).to_bytes(3, 'little') + (29_999).to_bytes(3, 'little')
        ),
        'tiff': tiff,
    }
    for tag in (256, 257):
        found['tiff'] = re.sub(
            struct.pack('<HHI', tag, 4, 1) + b'....', struct.pack('<HHII', tag, 4, 1, 30_000), found['tiff'], flags=re.S
        )
    return found


def test_headers_of_all_formats():
    for name, image in READABLE.items():
        header = format_of(image).header(image)
        with Image.open(io.BytesIO(image)) as opened:
            size = opened.size if not name.startswith('turned.avif') else opened.size[::-1]
        assert {header.width, header.height} == set(size), name
        if not name.startswith('turned'):
            assert (header.width, header.height) == size, name
    for bits in (8, 16):
        values = np.zeros((5, 7), f'uint{bits}')
        for ending in ('.png', '.tiff'):
            image = cv2.imencode(ending, values)[1].tobytes()
            assert format_of(image).header(image)[:3] == (7, 5, bits)


def test_large_tiffs():
    """A BigTIFF with big-endian numbers and a tile that is larger than the page."""
    entries = [(256, 3, 1, 40 << 48), (257, 4, 1, 30 << 32), (322, 16, 1, 1 << 20), (323, 16, 1, 1 << 20)]
    image = (
        b'MM\0+' + struct.pack('>HHQQ', 8, 0, 16, len(entries)) + b''.join(struct.pack('>HHQQ', *e) for e in entries)
    )
    header = format_of(image).header(image)
    assert (header.width, header.height, header.reserved) == (40, 30, 1 << 40)
    with pytest.raises(DataError, match='the limit is'):
        decode(image, 'x.tiff')


@pytest.mark.parametrize(
    ('mode', 'tags', 'stated'),
    [
        ('F', {}, '32-bit floating point'),
        ('I', {}, '32-bit signed integer'),
        ('I;16', {339: 2}, '16-bit signed integer'),
        ('L', {339: 2}, '8-bit signed integer'),
    ],
)
def test_tiffs_of_values_that_are_no_picture(mode, tags, stated):
    """OpenCV gives pixels of some of them, which have nothing to do with the values."""
    file = io.BytesIO()
    Image.new(mode, (40, 30)).save(file, 'TIFF', tiffinfo=tags)
    with pytest.raises(DataError, match=f'^x.tiff: a TIFF of {stated} values: convert it to unsigned integers of 8 or'):
        decode(file.getvalue(), 'x.tiff')


def test_tiffs_of_floating_point_colors():
    """OpenCV 4 writes them as logarithms of the luminance in 16 bits (LogLuv), OpenCV 5 on request."""
    logarithms = [cv2.IMWRITE_TIFF_COMPRESSION, 34676]  # COMPRESSION_SGILOG of libtiff
    image = cv2.imencode('.tiff', np.zeros((30, 40, 3), np.float32), logarithms)[1].tobytes()
    with pytest.raises(DataError, match='a TIFF of 16-bit signed integer values'):
        decode(image, 'x.tiff')


PROGRAM = """
import json, resource, sys
sys.path.insert(0, sys.argv[1])
import test_headers
from gluon_cbam.common.errors import DataError
from gluon_cbam.data.decoding import decode
before, messages = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, {}
for name, image in test_headers.too_large().items():
    try:
        decode(image, name)
    except DataError as error:
        messages[name] = str(error)
print(json.dumps([resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, messages]))
"""


def test_images_that_state_too_many_pixels_take_no_memory():
    path = [str(__file__).rpartition('/')[0], *sys.path]
    program = PROGRAM.replace('sys.path.insert(0, sys.argv[1])', f'sys.path[:0] = {path!r}')
    process = subprocess.run([sys.executable, '-c', program], capture_output=True, text=True, check=True)
    kilobytes, messages = json.loads(process.stdout)
    assert kilobytes < 150_000  # 900 M pixels take 2.7 GB
    assert sorted(messages) == sorted(too_large())
    cannot_hold = {'jpeg', 'little.png', *(name for name in messages if name.endswith(('gif', 'webp')))}
    for name, message in messages.items():
        expected = (
            'cannot hold' if name in cannot_hold else 'states' if name == 'chunk.png' else f'the limit is {MAX_PIXELS}'
        )
        assert message.startswith(f'{name}: ') and expected in message, message


def test_the_limit_can_be_set(monkeypatch):
    image = encoded()
    for value, fits in (('3071', False), ('3072', True), ('', True)):
        monkeypatch.setenv('CBAM_MAX_PIXELS', value)
        max_pixels.cache_clear()
        if fits:
            assert decode(image, 'a').shape == (48, 64, 3)
        else:
            with pytest.raises(
                DataError, match='states 64 x 48 pixels, the limit is 3071: set CBAM_MAX_PIXELS to raise'
            ):
                decode(image, 'a')
    for value in ('0', '-1', '1e9', 'many'):
        monkeypatch.setenv('CBAM_MAX_PIXELS', value)
        max_pixels.cache_clear()
        with pytest.raises(UsageError, match=f'CBAM_MAX_PIXELS .*got {value!r}'):
            decode(image, 'a')
    max_pixels.cache_clear()


def test_the_limit_is_that_of_pillow():
    assert 2 * Image.MAX_IMAGE_PIXELS == MAX_PIXELS if Image.MAX_IMAGE_PIXELS else MAX_PIXELS == 178_956_970


@pytest.mark.parametrize('name', sorted(READABLE))
def test_images_that_are_decoded_later(name):
    """Their size is that of their pixels, turned as the EXIF orientation says."""
    pixels, later = decode(READABLE[name], name), EncodedImage(READABLE[name], name)
    assert (later.height, later.width) == pixels.shape[:2] == image_size(READABLE[name], name)
    assert np.array_equal(later.pixels(), pixels)


def test_the_damage_of_an_image_that_is_decoded_later():
    whole = encoded(photo(30, 40))
    with pytest.raises(DataError, match='^x: no JPEG'):
        EncodedImage(b'GIF', 'x')
    cut = EncodedImage(whole[: len(whole) - 100], 'x')
    assert (cut.height, cut.width) == (30, 40)
    with pytest.raises(DataError, match='^x: a damaged image'):
        cut.pixels()


@pytest.mark.parametrize('name', sorted(READABLE))
def test_a_cut_image_is_damaged(name):
    """At any length; of GIF, TIFF and WebP as well, whose decoders know partial images."""
    image = READABLE[name]
    for part in np.linspace(0.02, 0.98, 25):
        try:
            pixels = decode(image[: int(part * len(image))], 'x')
        except DataError:
            continue
        assert np.array_equal(pixels, decode(image, 'x')), f'{part} of {name} is taken for the whole'


ANIMATED = """
import io, sys
import numpy as np
from PIL import Image
import test_headers
from gluon_cbam.common.errors import DataError
from gluon_cbam.data.decoding import decode
image = test_headers.saved('PNG', save_all=True, append_images=[test_headers.PHOTO.rotate(180)])
assert np.array_equal(decode(image, 'a'), np.asarray(test_headers.PHOTO))
data = image.index(b'IDAT') + 4
for place in range(data, data + 1200, 40):
    damaged = bytearray(image)
    damaged[place] ^= 0x55
    try:
        decode(bytes(damaged), 'a')
    except DataError:
        print('damaged')
"""


def test_a_damaged_animation_does_not_end_the_process():
    """OpenCV 4.11 crashes in such PNGs."""
    program = f'import sys; sys.path[:0] = {[str(__file__).rpartition("/")[0], *sys.path]!r}\n{ANIMATED}'
    process = subprocess.run([sys.executable, '-c', program], capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stderr
    assert process.stdout.count('damaged') == 30


def test_nothing_is_printed_about_a_damaged_png(capfd):
    """libpng prints what it finds on standard error, in addition to the one line of the command."""
    whole = saved('PNG')
    data = whole.index(b'IDAT') + 10
    rest = whole[33:]
    damaged = {
        'no width': whole[:16] + png(0, 30)[16:33] + rest,
        'no height': whole[:16] + png(40, 0)[16:33] + rest,
        'a wide row': png(2_000_000, 1, zlib.compress(bytes(2_000_000)), 1, 0),
        'two headers': whole[:33] + whole[8:],
        'a wrong end': with_bytes(whole, len(whole) - 1, b'x'),
        'a changed byte': with_bytes(whole, data, bytes([whole[data] ^ 255])),
    }
    for name, image in damaged.items():
        with pytest.raises(DataError, match=f'{name}: a damaged image'):
            decode(image, name)
    assert capfd.readouterr().err == ''


@pytest.mark.parametrize('form', ['GIF', 'WEBP'])
def test_a_few_bytes_are_no_large_image(form):
    """A valid image of one color may state 13,000 x 13,000 pixels in 34 bytes, which take gigabytes to decode."""
    image = saved('GIF') if form == 'GIF' else saved('WEBP', lossless=True)
    if form == 'GIF':
        large = with_bytes(image, 6, struct.pack('<HH', 13_000, 13_000))
    else:
        large = with_bytes(image, 21, struct.pack('<I', 12_999 | 12_999 << 14))
    with pytest.raises(DataError, match='states 13000 x 13000 pixels, which .* bytes cannot hold'):
        decode(large, form)
    file = io.BytesIO()
    Image.new('RGB', (3000, 2000)).save(file, form, **({'lossless': True} if form == 'WEBP' else {}))
    assert decode(file.getvalue(), form).shape == (2000, 3000, 3)


def test_strips_of_an_image_are_those_of_the_whole(monkeypatch):
    """Images of Pillow are converted in strips; the last is cut."""
    monkeypatch.setattr('gluon_cbam.data.decoding.decoder._STRIP_PIXELS', 40 * 7)
    for form in ('GIF', 'WEBP'):
        with Image.open(io.BytesIO(saved(form))) as opened:
            assert np.array_equal(decode(saved(form), form), np.asarray(opened.convert('RGB')))
