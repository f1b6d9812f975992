"""Parts of self-contained HTML pages: the style, escaped text, and images as the sources of elements."""

from __future__ import annotations

import base64
from html import escape
from pathlib import Path
from typing import Optional

import cv2
import numpy as np

from gluon_cbam.common.files import PathLike
from gluon_cbam.common.printable import printable

STYLE = """body { font: 15px/1.4 system-ui, sans-serif; margin: 1rem auto; max-width: 70rem; padding: 0 .8rem;
  color: #222 }
h1 { font-size: 1.3rem; margin: 0 } h2 { font-size: 1.1rem } p { margin: .4rem 0; color: #555 }
table { border-collapse: collapse; margin-top: 1rem }
th { text-align: left; border-bottom: 2px solid #888; padding: .3rem .5rem }
td { border-bottom: 1px solid #ddd; padding: .4rem .5rem; vertical-align: top; overflow-wrap: anywhere }"""
"""The style that the pages have in common."""
_QUALITY = 82  # of a JPEG


def escaped(text: Optional[str]) -> str:
    """Any text as HTML, for attributes too."""
    return escape(printable(text or ''))


def jpeg_source(pixels: np.ndarray) -> str:
    """The source of an image, (H, W, 3) uint8 RGB, as JPEG."""
    jpeg = cv2.imencode('.jpg', cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1]
    return f'data:image/jpeg;base64,{base64.b64encode(jpeg.tobytes()).decode("ascii")}'


def png_source(path: PathLike) -> str:
    """The source of an image in a PNG file."""
    return f'data:image/png;base64,{base64.b64encode(Path(path).read_bytes()).decode("ascii")}'
