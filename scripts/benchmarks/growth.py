"""How time and memory grow with the batch, the image size, the depth and the threads."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, Dict, List, NamedTuple, Sequence, Tuple

from gluon_cbam.benchmarks.context import BenchmarkContext
from gluon_cbam.benchmarks.process import Measurement, measure
from gluon_cbam.common.errors import CbamError, EnvironmentProblem
from gluon_cbam.common.files import atomic_path

MODES = {'predict': 'inference', 'train': 'training step'}
OURS = 'gluon_cbam'


class Line(NamedTuple):
    """A line of the plot.

    Attributes:
        mode: mode of the measurement.
        kind: prefix of the networks' names.
        engine: a key of :data:`gluon_cbam.benchmarks.engines.ENGINES`.
    """

    mode: str
    kind: str
    engine: str = OURS


STYLES: Dict[Line, Dict[str, str]] = {
    Line('predict', 'cbam_'): {'color': '#08519c', 'marker': 'o', 'label': 'CBAM-ResNet, inference'},
    Line('predict', ''): {'color': '#6baed6', 'marker': 'o', 'linestyle': '--', 'label': 'ResNet, inference'},
    Line('predict', 'cbam_', 'onnxruntime'): {
        'color': '#238b45', 'marker': '^', 'linestyle': ':', 'label': 'CBAM-ResNet, inference, ONNX Runtime',
    },
    Line('predict', 'cbam_', 'openvino'): {
        'color': '#6a51a3', 'marker': 'v', 'linestyle': ':', 'label': 'CBAM-ResNet, inference, OpenVINO',
    },
    Line('predict', 'cbam_', 'torch channels_last'): {
        'color': '#969696', 'marker': 'D', 'linestyle': ':', 'label': 'CBAM-ResNet, inference, PyTorch',
    },
    Line('train', 'cbam_'): {'color': '#a63603', 'marker': 's', 'label': 'CBAM-ResNet, training step'},
    Line('train', ''): {'color': '#fd8d3c', 'marker': 's', 'linestyle': '--', 'label': 'ResNet, training step'},
    Line('train', 'cbam_', 'torch channels_last'): {
        'color': '#000000', 'marker': 'D', 'linestyle': ':', 'label': 'CBAM-ResNet, training step, PyTorch',
    },
}  # fmt: skip
"""Line -> its style."""


class Sweep(NamedTuple):
    """A quantity that is varied.

    Attributes:
        label: label of the axis.
        values: values of the quantity.
        changes: (network's prefix, value) -> attributes of the context.
    """

    label: str
    values: Sequence[int]
    changes: Callable[[str, int], Dict[str, Any]]


def sweeps(threads: int) -> Dict[str, Sweep]:
    """All sweeps; the base is ResNet-50 with 224 x 224 pixels, batch 8 and ``threads`` threads."""

    def resnet50(kind: str) -> str:
        return f'{kind}resnet50'

    return {
        'batch': Sweep('batch', (1, 2, 4, 8, 16, 32, 64), lambda kind, n: {'network': resnet50(kind), 'batch': n}),
        'image_size': Sweep(
            'image size in pixels',
            (112, 160, 224, 320, 448),
            lambda kind, n: {'network': resnet50(kind), 'image_size': n},
        ),
        'depth': Sweep('layers', (18, 34, 50, 101, 152), lambda kind, n: {'network': f'{kind}resnet{n}'}),
        'threads': Sweep(
            'threads', range(1, threads + 1), lambda kind, n: {'network': resnet50(kind), 'threads': n, 'workers': n}
        ),
    }


def measure_growth(
    threads: int, repetitions: int, max_seconds: float, log: Callable[[str], None]
) -> List[Dict[str, Any]]:
    """Measure every point of every sweep; the lines of :data:`STYLES` take turns.

    Args:
        threads: maximum number of threads.
        repetitions: number of repetitions of a point.
        max_seconds: maximum duration of a call: if a point takes longer, the larger values of its sweep are left out.
        log: called with a line for each point.

    Returns:
        A record for each line and point: ``sweep``, ``value``, ``mode``, ``kind``, ``engine``, ``milliseconds``,
        ``used_bytes``, ``versions``. Engines that are not installed have none, and the log says so.
    """
    points, missing = [], set()

    def refused(context: BenchmarkContext, error: CbamError) -> None:
        if context.engine == OURS or not isinstance(error, EnvironmentProblem):
            raise error
        missing.add(context.engine)
        log(f'{context.engine} is left out: {error}')

    for name, sweep in sweeps(threads).items():
        for mode, title in MODES.items():
            for value in sweep.values:
                contexts = [
                    BenchmarkContext(
                        **{'mode': mode, 'threads': threads, 'engine': line.engine, **sweep.changes(line.kind, value)}
                    )
                    for line in STYLES
                    if line.mode == mode and line.engine not in missing
                ]
                results = measure(contexts, repetitions, 1, refused=refused)
                points += [{'sweep': name, 'value': value, **_figures(result)} for result in results]
                slowest = max(result.milliseconds.median for result in results) / 1000
                log(f'{title}, {sweep.label} {value}: {slowest:.2f} s')
                if slowest > max_seconds:
                    break
    return points


def _figures(result: Measurement) -> Dict[str, Any]:
    context = result.context
    return {
        'mode': context.mode,
        'kind': context.network.rpartition('resnet')[0],
        'engine': context.engine,
        'milliseconds': result.milliseconds.median,
        'used_bytes': result.used_bytes,
        'versions': result.facts['versions'],
    }


def draw(points: List[Dict[str, Any]], path: Path) -> None:
    """Plot the points: time above, memory below, a column for each sweep."""
    from matplotlib.figure import Figure

    names = list(dict.fromkeys(point['sweep'] for point in points))
    labels = {name: sweep.label for name, sweep in sweeps(1).items()}
    figure = Figure(figsize=(3.4 * len(names), 6.4), dpi=110, layout='constrained')
    axes = figure.subplots(2, len(names), squeeze=False)
    for column, name in enumerate(names):
        for row, (key, unit, scale) in enumerate((('milliseconds', 'ms', 1), ('used_bytes', 'MB', 1e6))):
            plot = axes[row][column]
            for line, style in STYLES.items():
                values, figures = _line(points, name, line, key, scale)
                if values or line.engine == OURS:
                    plot.plot(values, figures, markersize=4, **style)
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


def _line(points, name: str, line: Line, key: str, scale: float) -> Tuple[List[int], List[float]]:
    chosen = [p for p in points if p['sweep'] == name and Line(p['mode'], p['kind'], p['engine']) == line]
    return [point['value'] for point in chosen], [point[key] / scale for point in chosen]
