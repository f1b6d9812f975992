"""The report of many images: one self-contained HTML file, with a layout for phones too."""

from __future__ import annotations

import base64
import os
from html import escape
from typing import Dict, NamedTuple, Optional, Sequence
from urllib.parse import quote

import cv2
import numpy as np

from gluon_cbam.common.printable import printable
from gluon_cbam.explain.images.explanation import Explanation, UnreadableImage
from gluon_cbam.explain.maps.methods import EXPLAIN_METHODS

from .overlay import color_limits, overlay_map, resize_square

_SIDE = 128  # of a thumbnail, in pixels
_QUALITY = 82  # of its JPEG


class ReportRow(NamedTuple):
    """An image in the report.

    Attributes:
        label: the label of the predicted class; empty for embeddings.
        html: the row of the table.
    """

    label: str
    html: str


def report_row(explanation: Explanation, figure: str, method: str) -> ReportRow:
    """The row of an image.

    Args:
        explanation: the explanation of the image.
        figure: path of the image's figure, relative to the report.
        method: the method of the class activation maps, a key of :data:`.methods.EXPLAIN_METHODS`.
    """
    pixels, top = explanation.pixels, explanation.top
    thumbnails = [_thumbnail('input', resize_square(pixels, _SIDE))]
    for activation in explanation.activations:
        heat = overlay_map(pixels, activation.heat, activation.grid, (0, 1), _SIDE)
        thumbnails.append(_thumbnail(f'{EXPLAIN_METHODS[method].title}: {activation.label}', heat))
    spatial = [(gate.path, gate.spatial, gate.grid) for gate in explanation.gates if gate.spatial is not None]
    for path, heat, grid in spatial[-1:]:
        thumbnails.append(_thumbnail(path, overlay_map(pixels, heat, grid, color_limits(heat), _SIDE)))
    label, probability = (top[0].label, top[0].probability) if top else ('', 0.0)
    others = ''.join(f'<li>{_escaped(score.label)} <b>{score.probability:.3f}</b>' for score in top)
    html = (
        f'<tr><td class=pics><a href="{quote(os.fsencode(figure))}">{"".join(thumbnails)}</a>'
        f'<td data-name=file data-key="{_escaped(explanation.image.name)}">{_escaped(explanation.image.name)}'
        f'<td data-name=class data-key="{_escaped(label)}">{_escaped(label)}'
        f'<td data-name=P data-key={probability:.6f}>{probability:.4f}<td class=top><ol>{others}</ol>'
    )
    return ReportRow(label, html)


def report_page(network: str, method: str, rows: Sequence[ReportRow], unreadable: Sequence[UnreadableImage]) -> str:
    """The HTML of the report.

    Args:
        network: its name.
        method: the method, a key of :data:`.methods.EXPLAIN_METHODS`.
        rows: the images, see :func:`report_row`.
        unreadable: images that could not be read.
    """
    counts: Dict[str, int] = {}
    for entry in rows:
        counts[entry.label] = counts.get(entry.label, 0) + 1
    often = sorted(counts.items(), key=lambda item: -item[1])
    classes = ', '.join(f'{_escaped(label)} ({count})' for label, count in often if label)
    bad = ''.join(f'<li>{_escaped(item.error)}' for item in unreadable)
    return _PAGE.format(
        title=f'{_escaped(network)}: {len(rows)} images',
        about=f'{EXPLAIN_METHODS[method].title}; the last image is the spatial gate of the last attention module, '
        'where there is one. Colors run from blue (lowest) to red (highest).',
        classes=f'<p>Predicted: {classes}.' if classes else '',
        rows='\n'.join(entry.html for entry in rows),
        unreadable=f'<h2>{len(unreadable)} could not be read</h2><ul>{bad}</ul>' if bad else '',
    )


def _thumbnail(title: str, pixels: np.ndarray) -> str:
    jpeg = cv2.imencode('.jpg', cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1]
    source = base64.b64encode(jpeg.tobytes()).decode('ascii')
    return (
        f'<figure><img src="data:image/jpeg;base64,{source}" width={_SIDE} height={_SIDE} alt="">'
        f'<figcaption>{_escaped(title)}</figcaption></figure>'
    )


def _escaped(text: Optional[str]) -> str:
    """Any text as HTML, for attributes too."""
    return escape(printable(text or ''))


_PAGE = """<!DOCTYPE html>
<html lang=en><meta charset=utf-8><meta name=viewport content="width=device-width,initial-scale=1">
<title>{title}</title>
<style>
body {{ font: 15px/1.4 system-ui, sans-serif; margin: 1rem auto; max-width: 70rem; padding: 0 .8rem; color: #222 }}
h1 {{ font-size: 1.3rem; margin: 0 }} h2 {{ font-size: 1.1rem }} p {{ margin: .4rem 0; color: #555 }}
table {{ border-collapse: collapse; width: 100%; margin-top: 1rem }}
th {{ text-align: left; border-bottom: 2px solid #888; padding: .3rem .5rem }}
th button {{ all: unset; cursor: pointer; font-weight: 600 }} th button:focus-visible {{ outline: 2px solid #4472a8 }}
th[aria-sort=ascending] button::after {{ content: " \\25B2" }}
th[aria-sort=descending] button::after {{ content: " \\25BC" }}
td {{ border-bottom: 1px solid #ddd; padding: .4rem .5rem; vertical-align: top; overflow-wrap: anywhere }}
.pics {{ width: 1% }} .pics a {{ display: flex; gap: .4rem; color: inherit; text-decoration: none }}
figure {{ margin: 0; width: 8rem }} img {{ display: block; width: 8rem; height: 8rem }}
figcaption {{ font-size: .75rem; color: #555 }} ol {{ margin: 0; padding-left: 1.2rem }}
@media (max-width: 46rem) {{
  thead {{ display: block }} thead tr {{ display: flex; flex-wrap: wrap }} thead th:not([data-sort]) {{ display: none }}
  table, tbody, tbody tr, td {{ display: block }} td {{ border: 0; padding: .15rem 0 }}
  tbody tr {{ border-bottom: 1px solid #bbb; padding: .6rem 0 }}
  td[data-name]::before {{ content: attr(data-name) ": "; color: #777 }}
  .pics {{ width: auto }} figure {{ flex: 1; min-width: 0; max-width: 8rem }}
  img {{ width: 100%; height: auto; aspect-ratio: 1 }}
}}
</style>
<h1>{title}</h1><p>{about}{classes}
<table><thead><tr><th>images<th data-sort=text><button>file</button><th data-sort=text><button>class</button>
<th data-sort=number><button>P</button><th>most probable</thead><tbody>
{rows}
</tbody></table>
{unreadable}
<script>
for (const head of document.querySelectorAll('th[data-sort]')) head.querySelector('button').onclick = () => {{
  const down = head.getAttribute('aria-sort') === 'ascending', column = head.cellIndex;
  for (const other of head.parentNode.cells) other.removeAttribute('aria-sort');
  head.setAttribute('aria-sort', down ? 'descending' : 'ascending');
  const body = document.querySelector('tbody'), key = row => row.cells[column].dataset.key;
  const less = head.dataset.sort === 'number' ? (a, b) => a - b : (a, b) => a.localeCompare(b, 'en', {{numeric: true}});
  body.append(...[...body.rows].sort((a, b) => less(key(a), key(b)) * (down ? -1 : 1)));
}};
</script>
</html>
"""
