"""Calibration: scale and zero point of a graph's tensors, from their values on calibration images."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from typing import Callable, Dict, Iterable, List, Sequence, Tuple

import numpy as np

from gluon_cbam.export.onnx.graph import OnnxGraph

Run = Callable[[np.ndarray], List[np.ndarray]]
"""Function from a batch to all outputs of a graph."""
Runner = Callable[[OnnxGraph], Run]
"""Function from a graph to the function that runs it."""
_SAMPLE = 4096  # sampled values per tensor and image
# fractions of the range of values that are tried; numbers of Python, which leave the arithmetic in float32 (NEP 50)
_CLIPS = np.linspace(0.4, 1.0, 25).tolist()
_LEVELS = 255


@dataclass(frozen=True)
class QuantizationParameters:
    """Affine quantization of a tensor to uint8: ``real = scale * (quantized - zero_point)``.

    This is the quantization of ONNX's operators QuantizeLinear and DequantizeLinear.

    Attributes:
        scale: real difference between neighboring quantized values.
        zero_point: the quantized value of 0, in 0..255.
    """

    scale: float
    zero_point: int

    @classmethod
    def of_range(cls, low: float, high: float) -> QuantizationParameters:
        """The parameters by which 0..255 covers ``low`` to ``high``, extended to include 0, which is exact."""
        low, high = min(low, 0.0), max(high, 0.0)
        scale = (high - low) / _LEVELS or 1.0
        return cls(scale, int(np.clip(round(-low / scale), 0, _LEVELS)))


def calibrate(
    graph: OnnxGraph, values: Sequence[str], batches: Iterable[np.ndarray], runner: Runner
) -> Dict[str, QuantizationParameters]:
    """Run a float32 graph and choose quantization parameters for some of its values.

    They belong to the range with the smallest mean squared quantization error (rounding and clipping) over a sample of
    the values.

    Args:
        graph: a graph in float32.
        values: names of the values.
        batches: inputs of the graph.
        runner: runs a graph.

    Returns:
        Quantization parameters by name.
    """
    observed = copy(graph)
    observed.outputs = [name for name in values if name != graph.input]
    run = runner(observed)
    samples: Dict[str, List[np.ndarray]] = {name: [] for name in values}
    limits: Dict[str, Tuple[float, float]] = dict.fromkeys(values, (0.0, 0.0))
    draw = np.random.RandomState(0)
    for batch in batches:
        found = dict(zip(observed.outputs, run(batch)), **({graph.input: batch} if graph.input in samples else {}))
        for name, value in found.items():
            low, high = limits[name]
            limits[name] = min(low, float(value.min())), max(high, float(value.max()))
            flat, count = value.reshape(-1), min(value.size, _SAMPLE * len(batch))
            samples[name].append(flat[draw.randint(0, flat.size, count)] if count < flat.size else flat)
    return {name: _best(np.concatenate(samples[name]), *limits[name]) for name in values}


def _best(values: np.ndarray, low: float, high: float) -> QuantizationParameters:
    """The parameters of the smallest mean squared error, clipped or not."""
    candidates = [QuantizationParameters.of_range(low * clip, high * clip) for clip in _CLIPS]
    errors = [_squared_error(values, candidate) for candidate in candidates]
    return candidates[int(np.argmin(errors))]


def _squared_error(values: np.ndarray, candidate: QuantizationParameters) -> float:
    quantized = np.clip(np.rint(values / candidate.scale) + candidate.zero_point, 0, _LEVELS)
    return float(np.square((quantized - candidate.zero_point) * candidate.scale - values).mean())
