"""Static quantisation: ranges from images, eight bits wherever they cost little, the cost measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Iterator, List, Optional, Sequence

import numpy as np

from gluon_cbam.common.errors import UsageError, closest
from gluon_cbam.export.onnx.graph import OnnxGraph

from .calibration import observe
from .qdq import to_eight_bits, values_to_observe

ATTENTION = ('auto', 'int8', 'float')
LARGEST_ERROR = 0.05
"""Mean error of the outputs over their spread that attention in eight bits may cost; above it, it stays in float."""
_BATCH = 8


@dataclass(frozen=True)
class Calibration:
    """What the ranges come from.

    Attributes:
        images: (H, W, 3) uint8, RGB.
        attention: one of :data:`ATTENTION`: where the attention's maps are scaled; ``auto`` looks at the error.
    """

    images: Sequence[np.ndarray]
    attention: str = 'auto'

    def __post_init__(self):
        if self.attention not in ATTENTION:
            raise UsageError(f'unknown form of the attention {self.attention!r}: {closest(self.attention, ATTENTION)}')
        if not self.images:
            raise UsageError('calibration needs images, got none')


@dataclass(frozen=True)
class Candidate:
    """A graph in eight bits.

    Attributes:
        graph: the operators.
        attention: ``int8`` or ``float``.
        error: mean error of the outputs over their spread, on the calibration images.
    """

    graph: OnnxGraph
    attention: str
    error: float


Prepare = Callable[[np.ndarray], np.ndarray]
Runner = Callable[[OnnxGraph], Callable[[np.ndarray], List[np.ndarray]]]


def quantize(graph: OnnxGraph, calibration: Calibration, prepare: Prepare, runner: Runner) -> Candidate:
    """A float graph in eight bits.

    Args:
        graph: in float32.
        calibration: what the ranges come from.
        prepare: from an image to an input of the graph.
        runner: from a graph to a function of a batch that gives all its outputs.
    """
    wanted = {'int8': [True], 'float': [False], 'auto': [True, False]}[calibration.attention]
    observed = {attention: values_to_observe(graph, attention) for attention in (True, False)}
    if observed[True] == observed[False]:  # its attention looks at maps in float
        wanted = [False]
    values = sorted({name for attention in wanted for name in observed[attention]})
    ranges = observe(graph, values, _batches(calibration.images, prepare), runner)
    exact = _outputs(runner(graph), calibration.images, prepare)
    best: Optional[Candidate] = None
    for attention in wanted:
        made = to_eight_bits(graph, ranges, attention)
        error = _error(exact, _outputs(runner(made), calibration.images, prepare))
        if best is None or error < best.error:
            best = Candidate(made, 'int8' if attention else 'float', error)
        if best.error <= LARGEST_ERROR:
            break
    return best


def _batches(images: Sequence[np.ndarray], prepare: Prepare) -> Iterator[np.ndarray]:
    for start in range(0, len(images), _BATCH):
        yield np.stack([prepare(image) for image in images[start : start + _BATCH]])


def _outputs(run, images, prepare) -> List[np.ndarray]:
    return [np.concatenate(parts) for parts in zip(*(run(batch) for batch in _batches(images, prepare)))]


def _error(exact: Sequence[np.ndarray], found: Sequence[np.ndarray]) -> float:
    return max(float(np.abs(one - two).mean() / max(one.std(), 1e-12)) for one, two in zip(exact, found))
