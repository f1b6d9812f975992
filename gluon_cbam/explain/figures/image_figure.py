"""The picture of one image: what the network saw, Grad-CAM, and the gates of some attentions."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, NamedTuple

import numpy as np

from gluon_cbam.common.files import PathLike, atomic_path
from gluon_cbam.explain.explaining import Evidence, Explanation, Gate
from gluon_cbam.explain.maps.grad_cam import TITLES

from .canvas import FAINT, Canvas, fitting
from .overlay import COLOURS, enlarged, lay_over, limits_of

TILE = 256
"""Side of an image in the picture, in pixels."""
_MARGIN, _GAP, _HEAD, _TITLE, _SCALE, _NAME, _BAR, _BELOW, _LETTER = 20, 36, 52, 40, 44, 18, 17, 20, 6
_COLUMNS = 5  # at most


class _Panel(NamedTuple):
    """A column of a row: a title of two lines, whether there is an image below it, how many bars there are, and what
    draws all that at (canvas, left, top) and returns its part of the summary."""

    title: str
    note: str
    tile: bool
    bars: int
    draw: Callable[[Canvas, int, int], List[Dict[str, Any]]]

    @property
    def height(self) -> int:
        """In pixels."""
        return _TITLE + (TILE + _SCALE if self.tile else _NAME) + self.bars * _BAR + _BELOW


def draw(explanation: Explanation, path: PathLike, network: str, method: str, channels: int) -> List[Dict[str, Any]]:
    """Draw one image's picture, a PNG that appears whole or not at all.

    Args:
        explanation: of :func:`.explaining.explain`.
        path: of the picture.
        network: its name.
        method: of Grad-CAM, a key of :data:`.gradcam.METHODS`.
        channels: how many of the strongest channels of a gate are shown.

    Returns:
        One entry a map: ``kind`` (``gradcam``, ``spatial`` or ``channel``), ``path`` in the network, ``shape``,
        ``min``, ``mean``, ``max``; for spatial maps and Grad-CAM ``box``, where it is in the picture (left, top, width,
        height, in pixels); for Grad-CAM ``class`` and ``label``.
    """
    panels = [_input_panel(explanation)]
    panels += [_evidence_panel(explanation, evidence, TITLES[method]) for evidence in explanation.evidence]
    panels += [_gate_panel(explanation, gate, channels) for gate in explanation.gates]
    rows = _rows(panels)
    width = len(rows[0]) * (TILE + _GAP) - _GAP
    heights = [max(panel.height for panel in row) for row in rows]
    canvas = Canvas(2 * _MARGIN + width, _HEAD + sum(heights))
    canvas.text(explanation.file, _MARGIN, 12, width, 12, weight='bold')
    canvas.text(network, _MARGIN, 32, width, 9, FAINT)
    summary, top = [], _HEAD
    for row, height in zip(rows, heights):
        for number, panel in enumerate(row):
            left = _MARGIN + number * (TILE + _GAP)
            canvas.text(panel.title, left, top + 6, TILE, weight='bold')
            canvas.text(panel.note, left, top + 22, TILE, 8, FAINT)
            summary += panel.draw(canvas, left, top + _TITLE)
        top += height
    with atomic_path(path) as temporary:
        canvas.save(temporary)
    return summary


def _rows(panels: List[_Panel]) -> List[List[_Panel]]:
    """As few rows as possible, the first ones full."""
    count = -(-len(panels) // _COLUMNS)
    columns = -(-len(panels) // count)
    return [panels[start : start + columns] for start in range(0, len(panels), columns)]


def _input_panel(explanation: Explanation) -> _Panel:
    size = len(explanation.pixels)

    def draw_input(canvas, left, top):
        canvas.image(enlarged(explanation.pixels, TILE), left, top)
        if explanation.top:
            labels = [fitting(guess.label, TILE // 2, 7) for guess in explanation.top]
            probabilities = [guess.probability for guess in explanation.top]
            _bars(canvas, left, top + TILE + _SCALE, 'most probable classes', labels, probabilities, 1)
        return []

    return _Panel('What the network saw', f'{size} x {size} pixels', True, len(explanation.top), draw_input)


def _evidence_panel(explanation: Explanation, evidence: Evidence, method: str) -> _Panel:
    probability = '' if evidence.probability is None else f', P = {evidence.probability:.3f}'
    what = 'predicted class' if evidence.predicted else 'class asked for'
    note = f'{evidence.label}{probability}, {evidence.layer}'
    if not evidence.heat.any():
        note = f'{evidence.label}{probability}: nothing speaks for it'

    def draw_evidence(canvas, left, top):
        box = _overlay(canvas, left, top, explanation.pixels, evidence.heat, evidence.grid, (0, 1))
        summary = _summary('gradcam', evidence.layer, evidence.heat)
        return [{**summary, 'class': evidence.index, 'label': evidence.label, 'box': box}]

    return _Panel(f'{method}: {what}', note, True, 0, draw_evidence)


def _gate_panel(explanation: Explanation, gate: Gate, channels: int) -> _Panel:
    size = 'no spatial gate' if gate.spatial is None else 'spatial gate, {} x {}'.format(*gate.spatial.shape)

    def draw_gate(canvas, left, top):
        summary, below = [], top + _NAME
        if gate.spatial is not None:
            limits, below = limits_of(gate.spatial), top + TILE + _SCALE
            box = _overlay(canvas, left, top, explanation.pixels, gate.spatial, gate.grid, limits)
            summary.append({**_summary('spatial', gate.path, gate.spatial), 'box': box})
        if gate.channel is not None:
            strongest = np.argsort(-gate.channel, kind='stable')[:channels]
            values = gate.channel[strongest]
            title = f'strongest of {len(gate.channel)} channels (dashed: mean)'
            limit = 2 if gate.channel.max() > 1 else 1
            axes = _bars(canvas, left, below, title, [str(index) for index in strongest], values, limit)
            axes.axvline(gate.channel.mean(), color=FAINT, linewidth=1, linestyle='--')
            summary.append(_summary('channel', gate.path, gate.channel))
        return summary

    bars = 0 if gate.channel is None else min(channels, len(gate.channel))
    return _Panel(gate.path, size, gate.spatial is not None, bars, draw_gate)


def _overlay(canvas, left, top, pixels, heat, grid, limits) -> List[int]:
    box = canvas.image(lay_over(pixels, heat, grid, limits, TILE), left, top)
    canvas.scale(left, top + TILE + 3, TILE, limits, COLOURS)
    return list(box)


def _bars(canvas, left: int, top: int, title: str, labels, values, limit: float):
    """Bars, with the room that their labels need, and a title above ``top``."""
    canvas.text(title, left, top - 15, TILE, 8, FAINT)
    room = min(TILE // 2, 8 + _LETTER * max(map(len, labels)))
    return canvas.bars(left + room, top, TILE - room, len(values) * _BAR, labels, values, limit)


def _summary(kind: str, path: str, values: np.ndarray) -> Dict[str, Any]:
    low, mean, high = (float(number) for number in (values.min(), values.mean(), values.max()))
    return {'kind': kind, 'path': path, 'shape': list(values.shape), 'min': low, 'mean': mean, 'max': high}
