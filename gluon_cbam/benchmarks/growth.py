"""How time and memory grow with the batch, the image size, the depth and the threads."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, Dict, List, NamedTuple, Sequence, Tuple

from gluon_cbam.common.files import atomic_path

from .context import Spec
from .process import Measured, measure

MODES = {'predict': 'inference', 'train': 'training step'}
_KINDS = ('cbam_', '')  # of the networks, in their names
_LOOKS = {  # (mode, attention) -> of the line
    ('predict', 'cbam_'): {'color': '#08519c', 'marker': 'o', 'label': 'CBAM-ResNet, inference'},
    ('predict', ''): {'color': '#6baed6', 'marker': 'o', 'linestyle': '--', 'label': 'ResNet, inference'},
    ('train', 'cbam_'): {'color': '#a63603', 'marker': 's', 'label': 'CBAM-ResNet, training step'},
    ('train', ''): {'color': '#fd8d3c', 'marker': 's', 'linestyle': '--', 'label': 'ResNet, training step'},
}


class Sweep(NamedTuple):
    """One thing that grows.

    Attributes:
        label: of its axis.
        values: that it takes.
        spec: (network's prefix, value) -> what of the description differs.
    """

    label: str
    values: Sequence[int]
    spec: Callable[[str, int], Dict[str, Any]]


def sweeps(threads: int) -> Dict[str, Sweep]:
    """All sweeps: around ResNet-50, 224 x 224, batch 8 on so many threads."""

    def fifty(kind: str) -> str:
        return f'{kind}resnet50'

    return {
        'batch': Sweep('batch', (1, 2, 4, 8, 16, 32, 64), lambda kind, n: {'network': fifty(kind), 'batch': n}),
        'image_size': Sweep(
            'image size in pixels', (112, 160, 224, 320, 448), lambda kind, n: {'network': fifty(kind), 'image_size': n}
        ),
        'depth': Sweep('layers', (18, 34, 50, 101, 152), lambda kind, n: {'network': f'{kind}resnet{n}'}),
        'threads': Sweep(
            'threads', range(1, threads + 1), lambda kind, n: {'network': fifty(kind), 'threads': n, 'workers': n}
        ),
    }


def measure_growth(
    threads: int, repetitions: int, most_seconds: float, say: Callable[[str], None]
) -> List[Dict[str, Any]]:
    """Measure every point of every sweep, the networks with and without attention in turn.

    Args:
        threads: the most.
        repetitions: of a point.
        most_seconds: of a call: where a point takes longer, the larger ones of its sweep are left out.
        say: gets a line for each point.

    Returns:
        A record a line and point: ``sweep``, ``value``, ``mode``, ``kind``, ``milliseconds``, ``used_bytes``.
    """
    points = []
    for name, sweep in sweeps(threads).items():
        for mode, title in MODES.items():
            for value in sweep.values:
                specs = [Spec(**{'mode': mode, 'threads': threads, **sweep.spec(kind, value)}) for kind in _KINDS]
                sides = measure(specs, repetitions, 1)
                points += [
                    {'sweep': name, 'value': value, 'mode': mode, 'kind': kind, **_figures(side)}
                    for kind, side in zip(_KINDS, sides)
                ]
                slowest = max(side.milliseconds.median for side in sides) / 1000
                say(f'{title}, {sweep.label} {value}: {slowest:.2f} s')
                if slowest > most_seconds:
                    break
    return points


def _figures(side: Measured) -> Dict[str, float]:
    return {'milliseconds': side.milliseconds.median, 'used_bytes': side.used_bytes}


def draw(points: List[Dict[str, Any]], path: Path) -> None:
    """Draw the points: time above, memory below, a column a sweep."""
    from matplotlib.figure import Figure

    names = list(dict.fromkeys(point['sweep'] for point in points))
    labels = {name: sweep.label for name, sweep in sweeps(1).items()}
    figure = Figure(figsize=(3.4 * len(names), 6.4), dpi=110, layout='constrained')
    axes = figure.subplots(2, len(names), squeeze=False)
    for column, name in enumerate(names):
        for row, (key, unit, scale) in enumerate((('milliseconds', 'ms', 1), ('used_bytes', 'MB', 1e6))):
            plot = axes[row][column]
            for (mode, kind), look in _LOOKS.items():
                plot.plot(*_line(points, name, mode, kind, key, scale), markersize=4, **look)
            ticks = sorted({point['value'] for point in points if point['sweep'] == name})
            plot.set_xscale('log', base=2)
            plot.set_yscale('log')
            plot.set_xticks(ticks, [str(tick) for tick in ticks])
            plot.minorticks_off()
            plot.set_xlabel(labels[name])
            plot.set_ylabel(unit if column == 0 else '')
            plot.grid(alpha=0.3)
    axes[0][0].set_title('time of a batch', loc='left', fontsize=10)
    axes[1][0].set_title('peak memory above the imports', loc='left', fontsize=10)
    handles, texts = axes[0][0].get_legend_handles_labels()
    figure.legend(handles, texts, loc='outside lower center', ncols=4)
    with atomic_path(path) as temporary:
        figure.savefig(str(temporary), format='png')


def _line(points, name: str, mode: str, kind: str, key: str, scale: float) -> Tuple[List[int], List[float]]:
    chosen = [p for p in points if (p['sweep'], p['mode'], p['kind']) == (name, mode, kind)]
    return [point['value'] for point in chosen], [point[key] / scale for point in chosen]
