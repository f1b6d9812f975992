"""Static quantization of a graph: calibration on images, int8 wherever the error is small, and the measured error."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Callable, Iterator, List, Sequence

import numpy as np

from gluon_cbam.common.errors import UsageError, closest
from gluon_cbam.export.onnx.graph import OnnxGraph

from .calibration import Run, Runner, calibrate
from .qdq import insert_qdq, values_to_calibrate

ATTENTION = ('auto', 'int8', 'float')
LARGEST_ERROR = 0.05
"""Largest mean error of the outputs, divided by their standard deviation, at which attention stays in int8."""
_BATCH = 8
Prepare = Callable[[np.ndarray], np.ndarray]
"""Function from an image, (H, W, 3) uint8 RGB, to a row of the graph's input."""


@dataclass(frozen=True)
class Calibration:
    """How a graph is calibrated.

    Attributes:
        images: (H, W, 3) uint8, RGB.
        attention: precision of the operators that scale feature maps by attention, one of :data:`ATTENTION`; ``auto``
            chooses by the error.
    """

    images: Sequence[np.ndarray]
    attention: str = 'auto'

    def __post_init__(self) -> None:
        if self.attention not in ATTENTION:
            raise UsageError(f'unknown precision of attention {self.attention!r}: {closest(self.attention, ATTENTION)}')
        if not self.images:
            raise UsageError('calibration needs images, got none')


@dataclass(frozen=True)
class QuantizedGraph:
    """A graph in int8.

    Attributes:
        graph: its operators.
        attention: ``int8`` or ``float``.
        error: mean error of the outputs, of a detector those of its heads, on the calibration images, divided by their
            standard deviation.
    """

    graph: OnnxGraph
    attention: str
    error: float


def quantize(graph: OnnxGraph, calibration: Calibration, prepare: Prepare, runner: Runner) -> QuantizedGraph:
    """Quantize a float32 graph.

    Args:
        graph: a graph in float32.
        calibration: images, and the precision of attention.
        prepare: function from an image to a row of the graph's input.
        runner: runs a graph.

    Returns:
        The graph with attention in the requested precision; for ``auto`` attention is int8 if the error is at most
        :data:`LARGEST_ERROR`, else whichever has the smaller error.
    """
    wanted = {'int8': [True], 'float': [False], 'auto': [True, False]}[calibration.attention]
    needed = {attention: values_to_calibrate(graph, attention) for attention in (True, False)}
    if needed[True] == needed[False]:  # the attention of this network works on feature maps in float
        wanted = [False]
    values = sorted({name for attention in wanted for name in needed[attention]})
    parameters = calibrate(graph, values, _batches(calibration.images, prepare), runner)
    measured = graph.heads() if graph.classes else graph.outputs  # whether a box is left out is no measure
    exact = _outputs(runner(replace(graph, outputs=measured)), calibration.images, prepare)
    candidates: List[QuantizedGraph] = []
    for attention in wanted:
        quantized = insert_qdq(graph, parameters, attention)
        found = _outputs(runner(replace(quantized, outputs=measured)), calibration.images, prepare)
        error = _relative_error(exact, found)
        candidates.append(QuantizedGraph(quantized, 'int8' if attention else 'float', error))
        if error <= LARGEST_ERROR:
            break
    return min(candidates, key=lambda candidate: candidate.error)


def _batches(images: Sequence[np.ndarray], prepare: Prepare) -> Iterator[np.ndarray]:
    for start in range(0, len(images), _BATCH):
        yield np.stack([prepare(image) for image in images[start : start + _BATCH]])


def _outputs(run: Run, images: Sequence[np.ndarray], prepare: Prepare) -> List[np.ndarray]:
    """The outputs for all images."""
    return [np.concatenate(parts) for parts in zip(*(run(batch) for batch in _batches(images, prepare)))]


def _relative_error(exact: Sequence[np.ndarray], found: Sequence[np.ndarray]) -> float:
    return max(float(np.abs(one - two).mean() / max(one.std(), 1e-12)) for one, two in zip(exact, found))
