"""Decoding of images: the formats, what their headers state, pixels, and the pool of threads that decodes many.

``formats`` and ``headers`` import neither NumPy nor OpenCV. The package may import ``common``.
"""

from .decoder import Decode, EncodedImage, decode
from .depth import DarkImages
from .formats import FORMATS, IMAGE_ENDINGS, ImageFormat, format_of
from .jpeg import Reduced
from .size import BEGIN, image_file_size, image_size, size_in_begin
from .small import SMALL_PIXELS, SmallImage, SmallImages
from .threads import image_threads

__all__ = [
    'BEGIN',
    'FORMATS',
    'IMAGE_ENDINGS',
    'SMALL_PIXELS',
    'Reduced',
    'DarkImages',
    'Decode',
    'EncodedImage',
    'ImageFormat',
    'SmallImage',
    'SmallImages',
    'decode',
    'format_of',
    'image_file_size',
    'image_size',
    'image_threads',
    'size_in_begin',
]
