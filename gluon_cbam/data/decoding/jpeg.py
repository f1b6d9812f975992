"""Decoding of JPEG that finds data that are missing or corrupt.

libjpeg decodes what it can, and only warns: of an image that ends too early, the rest becomes gray. OpenCV and Pillow
do not pass these warnings on; simplejpeg raises them. OpenCV and simplejpeg use libjpeg-turbo and give the same pixels.
"""

from __future__ import annotations

from typing import Optional

import cv2
import numpy as np
import simplejpeg

from .headers import Damaged, ImageHeader

# the warnings of jerror.h that are of pixels; the others are of headers
_DAMAGE = ('Corrupt JPEG data', 'Premature end of JPEG')
_HARMLESS = 'Corrupt JPEG data: bad ICC marker'


def decode_jpeg(image: bytes, header: ImageHeader) -> Optional[np.ndarray]:
    """Decode a JPEG.

    Args:
        image: the bytes of the image.
        header: what its header states.

    Returns:
        (H, W, 3) uint8 RGB, the pixels that OpenCV gives; None where it cannot be decoded.

    Raises:
        Damaged: entropy-coded data are missing or corrupt.
    """
    inks = header.channels == 4
    try:
        pixels = simplejpeg.decode_jpeg(image, 'CMYK' if inks else 'RGB')
    except ValueError as error:
        if str(error).startswith(_DAMAGE) and not str(error).startswith(_HARMLESS):
            raise Damaged(str(error)) from None
    else:
        if header.upright and not inks:
            return pixels
    return cv2.imdecode(np.frombuffer(image, np.uint8), cv2.IMREAD_COLOR_RGB)  # turns the image; knows inks
