"""The readers of images, of each format."""

import struct

import cv2
import numpy as np
from fuzz.reader import Reader, of_bytes, written
from PIL import Image

from gluon_cbam.data.decoding import DarkImages, decode
from gluon_cbam.data.loading.preprocessing import Preprocessing


def image(ending):
    """An encoded picture of 40 x 30 pixels."""
    pixels = np.random.RandomState(0).randint(0, 256, (30, 40, 3), np.uint8)
    return cv2.imencode(ending, cv2.GaussianBlur(pixels, (5, 5), 2))[1].tobytes()


def save_as(form, frames=1, **options):
    """A function that writes a picture of 40 x 30 pixels, or several as an animation."""

    def save(path):
        picture = Image.fromarray(decode(image('.png'), 'picture'))
        if frames > 1:
            options.update(save_all=True, append_images=[picture.rotate(180)] * (frames - 1))
        picture.save(path, form, **options)

    return save


def deep_tiff():
    """A TIFF of 16 bits that uses 12."""
    return cv2.imencode('.tiff', np.random.RandomState(0).randint(0, 4096, (30, 40, 3)).astype(np.uint16))[1].tobytes()


def stating(form, place, *values):
    """Other numbers in one place of a header."""
    size = struct.calcsize(form)
    return lambda original: original[:place] + struct.pack(form, *values) + original[place + size :]


def prepare(path):
    """An image from its bytes to the input of a network, with and without a depth."""
    data = path.read_bytes()
    decode(data, path.name, depth=12)
    Preprocessing(32)(decode(data, path.name, dark=DarkImages()))


def png_of(width, height):
    """A PNG whose header states a size."""
    import zlib

    head = b'IHDR' + struct.pack('>IIBBBBB', width, height, 8, 2, 0, 0, 0)
    data = b'IDAT' + zlib.compress(bytes(1 << 16))
    chunks = [struct.pack('>I', len(part) - 4) + part + struct.pack('>I', zlib.crc32(part)) for part in (head, data)]
    return lambda original: b'\x89PNG\r\n\x1a\n' + b''.join(chunks) + b'\0\0\0\0IEND\xaeB`\x82'


def claiming(width, height):
    """A JPEG whose header states a size."""

    def attack(original):
        at = original.index(b'\xff\xc0') + 5
        return original[:at] + struct.pack('>HH', height, width) + original[at + 4 :]

    return attack


IMAGE_READERS = [
    Reader('jpg', of_bytes('a.jpg', image('.jpg')), prepare,
           [claiming(30000, 30000), claiming(65000, 65000), claiming(1, 65000)]),
    Reader('png', of_bytes('a.png', image('.png')), prepare,
           [png_of(30000, 30000), png_of(1 << 30, 1), png_of(0, 0)]),
    Reader('bmp', of_bytes('a.bmp', image('.bmp')), prepare),
    Reader('turned jpg', written('a.jpg', save_as('JPEG', exif=b'Exif\0\0II*\0\b\0\0\0\1\0\x12\1\3\0\1\0\0\0\6\0\0\0',
                                                  progressive=True)), prepare),
    Reader('animated png', written('a.png', save_as('PNG', frames=2)), prepare),
    Reader('gif', written('a.gif', save_as('GIF', frames=2)), prepare,
           [stating('<HH', 6, 65535, 65535), stating('<HH', 6, 0, 0)]),
    Reader('webp', written('a.webp', save_as('WEBP')), prepare, [stating('<HH', 26, 16383, 16383)]),
    Reader('lossless webp', written('a.webp', save_as('WEBP', lossless=True)), prepare, [stating('<I', 21, 0xFFFFFFF)]),
    Reader('tiff', written('a.tiff', save_as('TIFF', compression='tiff_lzw')), prepare),
    Reader('deep tiff', of_bytes('a.tiff', deep_tiff()), prepare),
    Reader('avif', written('a.avif', save_as('AVIF')), prepare),
]  # fmt: skip
