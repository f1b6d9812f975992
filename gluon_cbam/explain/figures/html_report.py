"""The report of many images: one self-contained HTML file, with a layout for phones too."""

from __future__ import annotations

import os
from typing import Dict, NamedTuple, Sequence
from urllib.parse import quote

import numpy as np

from gluon_cbam.explain.images.explanation import Explanation, UnreadableImage
from gluon_cbam.explain.maps.methods import EXPLAIN_METHODS

from .html import escaped, jpeg_source, page_of
from .overlay import color_limits, overlay_map, resize_into

_SIDE = 128  # of a thumbnail, in pixels


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
    thumbnails = [_thumbnail('input', resize_into(pixels, _SIDE))]
    for activation in explanation.activations:
        heat = overlay_map(pixels, activation.heat, activation.grid, (0, 1), _SIDE)
        thumbnails.append(_thumbnail(f'{EXPLAIN_METHODS[method].title}: {activation.label}', heat))
    spatial = [(gate.path, gate.spatial, gate.grid) for gate in explanation.gates if gate.spatial is not None]
    for path, heat, grid in spatial[-1:]:
        thumbnails.append(_thumbnail(path, overlay_map(pixels, heat, grid, color_limits(heat), _SIDE)))
    label, probability = (top[0].label, top[0].probability) if top else ('', 0.0)
    others = ''.join(f'<li>{escaped(score.label)} <b>{score.probability:.3f}</b>' for score in top)
    html = (
        f'<tr><td class=pics><a href="{quote(os.fsencode(figure))}">{"".join(thumbnails)}</a>'
        f'<td data-name=file data-key="{escaped(explanation.image.name)}">{escaped(explanation.image.name)}'
        f'<td data-name=class data-key="{escaped(label)}">{escaped(label)}'
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
    classes = ', '.join(f'{escaped(label)} ({count})' for label, count in often if label)
    bad = ''.join(f'<li>{escaped(item.error)}' for item in unreadable)
    about = (
        f'{EXPLAIN_METHODS[method].title}; the last image is the spatial gate of the last attention module, where '
        'there is one. Colors run from blue (lowest) to red (highest).'
    )
    body = _BODY.format(
        about=about, classes=f'<p>Predicted: {classes}.' if classes else '',
        rows='\n'.join(entry.html for entry in rows),
        unreadable=f'<h2>{len(unreadable)} could not be read</h2><ul>{bad}</ul>' if bad else '', script=_SCRIPT,
    )  # fmt: skip
    return page_of(f'{network}: {len(rows)} images', _STYLE, body)


def _thumbnail(title: str, pixels: np.ndarray) -> str:
    return (
        f'<figure><img src="{jpeg_source(pixels)}" width={pixels.shape[1]} height={pixels.shape[0]} alt="">'
        f'<figcaption>{escaped(title)}</figcaption></figure>'
    )


_STYLE = """table { width: 100% }
th button { all: unset; cursor: pointer; font-weight: 600 } th button:focus-visible { outline: 2px solid #4472a8 }
th[aria-sort=ascending] button::after { content: " \\25B2" }
th[aria-sort=descending] button::after { content: " \\25BC" }
.pics { width: 1% } .pics a { display: flex; gap: .4rem; color: inherit; text-decoration: none }
figure { margin: 0; width: 8rem } img { display: block; width: 8rem; height: 8rem; object-fit: contain }
figcaption { font-size: .75rem; color: #555 } ol { margin: 0; padding-left: 1.2rem }
@media (max-width: 46rem) {
  thead { display: block } thead tr { display: flex; flex-wrap: wrap } thead th:not([data-sort]) { display: none }
  table, tbody, tbody tr, td { display: block } td { border: 0; padding: .15rem 0 }
  tbody tr { border-bottom: 1px solid #bbb; padding: .6rem 0 }
  td[data-name]::before { content: attr(data-name) ": "; color: #777 }
  .pics { width: auto } figure { flex: 1; min-width: 0; max-width: 8rem }
  img { width: 100%; height: auto; aspect-ratio: 1 }
}"""
_BODY = """<p>{about}{classes}
<table><thead><tr><th>images<th data-sort=text><button>file</button><th data-sort=text><button>class</button>
<th data-sort=number><button>P</button><th>most probable</thead><tbody>
{rows}
</tbody></table>
{unreadable}
{script}"""
_SCRIPT = """<script>
for (const head of document.querySelectorAll('th[data-sort]')) head.querySelector('button').onclick = () => {
  const down = head.getAttribute('aria-sort') === 'ascending', column = head.cellIndex;
  for (const other of head.parentNode.cells) other.removeAttribute('aria-sort');
  head.setAttribute('aria-sort', down ? 'descending' : 'ascending');
  const body = document.querySelector('tbody'), key = row => row.cells[column].dataset.key;
  const less = head.dataset.sort === 'number' ? (a, b) => a - b : (a, b) => a.localeCompare(b, 'en', {numeric: true});
  body.append(...[...body.rows].sort((a, b) => less(key(a), key(b)) * (down ? -1 : 1)));
};
</script>"""
