"""Images of the kinds that cameras, scanners and the web give, by the file name that they may have."""

import io

import cv2
import numpy as np
from PIL import Image, features
from records import photo

_PIXELS = photo(30, 40)
_PHOTO = Image.fromarray(_PIXELS)


def _saved(image, form, **options):
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def _turned(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


READABLE = {
    'plain.png': _saved(_PHOTO, 'PNG'),
    'turned.jpg': _saved(_PHOTO, 'JPEG', exif=_turned(6)),
    'mirrored.png': _saved(_PHOTO, 'PNG', exif=_turned(2)),
    'grey.jpg': _saved(_PHOTO.convert('L'), 'JPEG'),
    'grey_alpha.png': _saved(_PHOTO.convert('LA'), 'PNG'),
    'transparent.png': _saved(_PHOTO.convert('RGBA'), 'PNG'),
    'palette.png': _saved(_PHOTO.quantize(16), 'PNG', transparency=0),
    'one_bit.png': _saved(_PHOTO.convert('1'), 'PNG'),
    'deep.png': cv2.imencode('.png', _PIXELS[:, :, ::-1].astype(np.uint16) * 257)[1].tobytes(),
    'print.jpg': _saved(_PHOTO.convert('CMYK'), 'JPEG'),
    'animated.png': _saved(_PHOTO, 'PNG', save_all=True, append_images=[_PHOTO.rotate(180)]),
    'plain.bmp': _saved(_PHOTO, 'BMP'),
    'animated.gif': _saved(_PHOTO, 'GIF', save_all=True, append_images=[_PHOTO.rotate(180)]),
    'transparent.gif': _saved(_PHOTO.quantize(16), 'GIF', transparency=3, interlace=1),
    'animated.webp': _saved(_PHOTO, 'WEBP', save_all=True, append_images=[_PHOTO.rotate(180)]),
    'turned.webp': _saved(_PHOTO.convert('RGBA'), 'WEBP', exif=_turned(6)),
    'scan.tiff': _saved(_PHOTO, 'TIFF', compression='tiff_lzw'),
    'turned.tif': _saved(_PHOTO.quantize(16), 'TIFF', tiffinfo={0x0112: 6}),
    'misnamed.jpg': _saved(_PHOTO, 'WEBP', lossless=True),
}
"""Those that decode() reads."""

if features.check_module('avif') if 'avif' in features.modules else False:
    READABLE['turned.avif'] = _saved(_PHOTO, 'AVIF', exif=_turned(6))

OTHER = {'plain.jpg': _saved(_PHOTO, 'PPM'), 'raw.tiff': b'IIRO' + bytes(60)}
"""Those that it names: other formats under the endings of these."""


def pillow(image):
    """What Pillow makes of an image: (H, W, 3) uint8."""
    from PIL import ImageOps

    opened = Image.open(io.BytesIO(image))
    if opened.mode.startswith('I;16'):
        opened = Image.fromarray((np.asarray(opened) // 257).astype(np.uint8))
    return np.asarray(ImageOps.exif_transpose(opened).convert('RGB'))
