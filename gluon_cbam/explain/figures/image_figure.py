"""The figure of one image: the network's input, class activation maps, and attention gates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from gluon_cbam.common.files import PathLike, atomic_path
from gluon_cbam.common.image_size import shown_image_size
from gluon_cbam.explain.images.explanation import AttentionGates, ClassActivation, Explanation
from gluon_cbam.explain.maps.grid import Grid
from gluon_cbam.explain.maps.methods import EXPLAIN_METHODS, Method

from .canvas import GRAY, Canvas, fit_text
from .overlay import COLORMAP, color_limits, overlay_map, resize_into

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TILE = 256
"""Side of an image in the figure, in pixels."""
_MARGIN, _GAP, _HEAD, _TITLE, _SCALE, _NAME, _BAR, _BELOW, _LETTER = 20, 36, 52, 40, 44, 18, 17, 20, 6
_COLUMNS = 5  # at most
Summary = List[Dict[str, Any]]


class _Panel(NamedTuple):
    """A column of a row.

    Attributes:
        title: first line of the heading.
        note: second line of the heading.
        tile: whether there is an image below the heading.
        bars: number of bars below that.
        draw: draws image and bars at (canvas, left, top) and returns the summary of its maps.
    """

    title: str
    note: str
    tile: bool
    bars: int
    draw: Callable[[Canvas, int, int], Summary]

    @property
    def height(self) -> int:
        """In pixels."""
        return _TITLE + (TILE + _SCALE if self.tile else _NAME) + self.bars * _BAR + _BELOW


def draw_explanation(explanation: Explanation, path: PathLike, network: str, method: str, channels: int) -> Summary:
    """Draw the figure of one image, a PNG that is written atomically.

    Args:
        explanation: see :func:`gluon_cbam.explain.images.pipeline.explain_images`.
        path: the path of the figure.
        network: its name.
        method: the method, a key of :data:`.methods.EXPLAIN_METHODS`.
        channels: number of the strongest channels of a gate to show.

    Returns:
        An entry for each map: ``kind`` (``gradcam``, ``occlusion``, ``rise``, ``spatial`` or ``channel``), ``path`` in
        the network, ``shape``, ``min``, ``mean``, ``max``; for all but ``channel`` the ``box``, its position in the
        figure (left, top, width, height, in pixels); for maps of a class ``class`` and ``label``.
    """
    panels = [_input_panel(explanation)]
    panels += [
        _activation_panel(explanation, activation, EXPLAIN_METHODS[method]) for activation in explanation.activations
    ]
    panels += [_gate_panel(explanation, gate, channels) for gate in explanation.gates]
    rows = _rows(panels)
    width = len(rows[0]) * (TILE + _GAP) - _GAP
    heights = [max(panel.height for panel in row) for row in rows]
    canvas = Canvas(2 * _MARGIN + width, _HEAD + sum(heights))
    canvas.text(explanation.image.name, _MARGIN, 12, width, 12, weight='bold')
    canvas.text(network, _MARGIN, 32, width, 9, GRAY)
    summary: Summary = []
    top = _HEAD
    for row, height in zip(rows, heights):
        for number, panel in enumerate(row):
            left = _MARGIN + number * (TILE + _GAP)
            canvas.text(panel.title, left, top + 6, TILE, weight='bold')
            canvas.text(panel.note, left, top + 22, TILE, 8, GRAY)
            summary += panel.draw(canvas, left, top + _TITLE)
        top += height
    with atomic_path(path) as temporary:
        canvas.save(temporary)
    return summary


def _rows(panels: List[_Panel]) -> List[List[_Panel]]:
    """As few rows as possible, all full but the last."""
    count = -(-len(panels) // _COLUMNS)
    columns = -(-len(panels) // count)
    return [panels[start : start + columns] for start in range(0, len(panels), columns)]


def _input_panel(explanation: Explanation) -> _Panel:
    height, width = explanation.pixels.shape[:2]

    def draw_input(canvas: Canvas, left: int, top: int) -> Summary:
        canvas.image(resize_into(explanation.pixels, TILE), left, top)
        if explanation.top:
            labels = [fit_text(score.label, TILE // 2, 7) for score in explanation.top]
            probabilities = [score.probability for score in explanation.top]
            _bars(canvas, left, top + TILE + _SCALE, 'most probable classes', labels, probabilities, 1)
        return []

    return _Panel(
        'Network input', f'{shown_image_size((height, width))} pixels', True, len(explanation.top), draw_input
    )


def _activation_panel(explanation: Explanation, activation: ClassActivation, method: Method) -> _Panel:
    probability = '' if activation.probability is None else f', P = {activation.probability:.3f}'
    asked = 'true class' if activation.class_index == explanation.true_class else 'requested class'
    title = 'predicted class' if activation.predicted else asked
    if activation.class_index is None:
        title = 'similarity'
    note = f'{activation.label}{probability}, {activation.layer}'
    if not activation.heat.any():
        note = f'{activation.label}{probability}: no positive evidence'

    def draw_activation(canvas: Canvas, left: int, top: int) -> Summary:
        box = _overlay(canvas, left, top, explanation.pixels, activation.heat, activation.grid, (0, 1))
        summary = _summary(method.kind, activation.layer, activation.heat)
        return [{**summary, 'class': activation.class_index, 'label': activation.label, 'box': box}]

    return _Panel(f'{method.title}: {title}', note, True, 0, draw_activation)


def _gate_panel(explanation: Explanation, gate: AttentionGates, channels: int) -> _Panel:
    size = 'no spatial gate' if gate.spatial is None else 'spatial gate, {} x {}'.format(*gate.spatial.shape)

    def draw_gate(canvas: Canvas, left: int, top: int) -> Summary:
        summary: Summary = []
        below = top + _NAME
        if gate.spatial is not None:
            limits, below = color_limits(gate.spatial), top + TILE + _SCALE
            box = _overlay(canvas, left, top, explanation.pixels, gate.spatial, gate.grid, limits)
            summary.append({**_summary('spatial', gate.path, gate.spatial), 'box': box})
        if gate.channel is not None:
            strongest = np.argsort(-gate.channel, kind='stable')[:channels]
            values = gate.channel[strongest].tolist()
            title = f'strongest of {len(gate.channel)} channels (dashed: mean)'
            limit = 2 if gate.channel.max() > 1 else 1
            axes = _bars(canvas, left, below, title, [str(index) for index in strongest], values, limit)
            axes.axvline(gate.channel.mean(), color=GRAY, linewidth=1, linestyle='--')
            summary.append(_summary('channel', gate.path, gate.channel))
        return summary

    bars = 0 if gate.channel is None else min(channels, len(gate.channel))
    return _Panel(gate.path, size, gate.spatial is not None, bars, draw_gate)


def _overlay(
    canvas: Canvas,
    left: int,
    top: int,
    pixels: np.ndarray,
    heat: np.ndarray,
    grid: Optional[Grid],
    limits: Tuple[float, float],
) -> List[int]:
    """Draw a map over the image, with a colorbar below; returns its box."""
    box = canvas.image(overlay_map(pixels, heat, grid, limits, TILE), left, top)
    canvas.colorbar(left, top + TILE + 3, TILE, limits, COLORMAP)
    return list(box)


def _bars(
    canvas: Canvas,
    left: int,
    top: int,
    title: str,
    labels: Sequence[str],
    values: Sequence[float],
    limit: float,
) -> Axes:
    """Draw bars, with as much room as their labels need, and a title above ``top``."""
    canvas.text(title, left, top - 15, TILE, 8, GRAY)
    room = min(TILE // 2, 8 + _LETTER * max(map(len, labels)))
    return canvas.bars(left + room, top, TILE - room, len(values) * _BAR, labels, values, limit)


def _summary(kind: str, path: str, values: np.ndarray) -> Dict[str, Any]:
    low, mean, high = (float(number) for number in (values.min(), values.mean(), values.max()))
    return {'kind': kind, 'path': path, 'shape': list(values.shape), 'min': low, 'mean': mean, 'max': high}
