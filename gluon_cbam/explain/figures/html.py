"""Self-contained HTML pages: their frame and style, escaped text, tables, and images as the sources of elements."""

from __future__ import annotations

import base64
from html import escape
from pathlib import Path
from typing import Any, Iterable, Mapping, Optional, Sequence

import cv2
import numpy as np

from gluon_cbam.common.files import PathLike
from gluon_cbam.common.printable import printable

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


def table_of(head: Sequence[str], rows: Iterable[Iterable[Any]]) -> str:
    """A table as HTML.

    Args:
        head: the names of the columns, as text.
        rows: the cells of each row: text, whole numbers, floats, which get four decimals, or None for an empty cell.
    """
    columns = ''.join(f'<th>{escaped(name)}</th>' for name in head)
    body = ''.join(f'<tr>{"".join(f"<td>{escaped(_cell(value))}</td>" for value in row)}</tr>\n' for row in rows)
    return f'<div class=wide><table><thead><tr>{columns}</tr></thead>\n<tbody>{body}</tbody></table></div>'


def _cell(value: Any) -> str:
    return '' if value is None else f'{value:.4f}' if isinstance(value, float) else str(value)


def figure_of(name: str, pictures: Mapping[str, np.ndarray], caption: str) -> str:
    """Pictures of one image side by side, with a caption.

    Args:
        name: the name of the image, as text.
        pictures: what each shows, as text, -> (H, W, 3) uint8 RGB.
        caption: what is said below the name, as text.
    """
    images = ''.join(
        f'<img src="{jpeg_source(pixels)}" alt="{escaped(f"{what} of {name}")}">' for what, pixels in pictures.items()
    )
    caption = f'<b>{escaped(name)}</b><br>{escaped(caption)}'
    return f'<figure><div>{images}</div><figcaption>{caption}</figcaption></figure>'


def page_of(title: str, style: str, body: str) -> str:
    """A whole page.

    Args:
        title: its title, as text.
        style: the rules that it has besides those that all pages have in common, as CSS.
        body: what follows the title, as HTML.
    """
    return _PAGE.format(title=escaped(title), style=f'{_STYLE}\n{style}', body=body)


_STYLE = """body { font: 15px/1.4 system-ui, sans-serif; margin: 1rem auto; max-width: 70rem; padding: 0 .8rem;
  color: #222 }
h1 { font-size: 1.3rem; margin: 0 } h2 { font-size: 1.1rem } p { margin: .4rem 0; color: #555 }
table { border-collapse: collapse; margin-top: 1rem }
th { text-align: left; border-bottom: 2px solid #888; padding: .3rem .5rem }
td { border-bottom: 1px solid #ddd; padding: .4rem .5rem; vertical-align: top; overflow-wrap: anywhere }"""
_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<title>{title}</title>
<style>
{style}
</style>
</head>
<body>
<h1>{title}</h1>
{body}
</body>
</html>
"""
