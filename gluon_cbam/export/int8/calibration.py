"""Which numbers a graph's values take, seen on images: what eight bits have to hold."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from typing import Dict, Iterable, List, Sequence, Tuple

import numpy as np

from gluon_cbam.export.onnx.graph import OnnxGraph

_SAMPLE = 4096  # values of a tensor and an image
_CLIPS = np.linspace(0.4, 1.0, 25)
_LEVELS = 255


@dataclass(frozen=True)
class Range:
    """How a tensor is held in eight bits: ``real = scale * (whole - zero)``.

    Attributes:
        scale: of a step.
        zero: the whole number that means 0.
    """

    scale: float
    zero: int

    @classmethod
    def of(cls, low: float, high: float) -> Range:
        """The one that holds ``low`` to ``high`` and 0 exactly, in 0..255."""
        low, high = min(low, 0.0), max(high, 0.0)
        scale = (high - low) / _LEVELS or 1.0
        return cls(scale, int(np.clip(round(-low / scale), 0, _LEVELS)))


def observe(graph: OnnxGraph, values: Sequence[str], batches: Iterable[np.ndarray], runner) -> Dict[str, Range]:
    """Run a float graph and choose a range for some of its values.

    A range is the one whose rounding and clipping cost least, in squared error over the values seen.

    Args:
        graph: in float32.
        values: names.
        batches: inputs of the graph.
        runner: from a graph to a function of a batch that gives all its outputs.

    Returns:
        Range by name.
    """
    shown = copy(graph)
    shown.outputs = [name for name in values if name != graph.input]
    run = runner(shown)
    seen: Dict[str, List[np.ndarray]] = {name: [] for name in values}
    limits: Dict[str, Tuple[float, float]] = dict.fromkeys(values, (0.0, 0.0))
    draw = np.random.RandomState(0)
    for batch in batches:
        found = dict(zip(shown.outputs, run(batch)), **({graph.input: batch} if graph.input in seen else {}))
        for name, value in found.items():
            low, high = limits[name]
            limits[name] = min(low, float(value.min())), max(high, float(value.max()))
            flat, count = value.reshape(-1), min(value.size, _SAMPLE * len(batch))
            seen[name].append(flat[draw.randint(0, flat.size, count)] if count < flat.size else flat)
    return {name: _best(np.concatenate(seen[name]), *limits[name]) for name in values}


def _best(values: np.ndarray, low: float, high: float) -> Range:
    """The range of least squared error, clipped or not."""
    candidates = [Range.of(low * clip, high * clip) for clip in _CLIPS]
    errors = [_error(values, candidate) for candidate in candidates]
    return candidates[int(np.argmin(errors))]


def _error(values: np.ndarray, candidate: Range) -> float:
    whole = np.clip(np.rint(values / candidate.scale) + candidate.zero, 0, _LEVELS)
    return float(np.square((whole - candidate.zero) * candidate.scale - values).mean())
