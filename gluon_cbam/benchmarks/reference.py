"""The same weights and images for every engine, and the outputs of our network, which theirs are compared with.

:func:`~.reference_writer.write` puts weights and outputs into a folder, in a process of its own. The engines read them
from there, under the names of the source that they have: see :data:`gluon_cbam.convert.sources.SOURCES`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, Mapping, Optional

import numpy as np

from gluon_cbam.common.errors import RunError

from .context import BenchmarkContext
from .workload import Workload

OURS = 'ours'
"""The source whose names are those of ``Block.save_parameters``."""
_OUTPUTS = 'outputs.npy'


def noise(context: BenchmarkContext) -> np.ndarray:
    """A batch of standard normal noise, which has the mean and variance of normalized images.

    Args:
        context: description of the measurement.

    Returns:
        (N, C, H, W) float32, the same for every engine.
    """
    shape = (context.batch, context.channels, *context.shape)
    return np.random.RandomState(0).standard_normal(shape).astype(np.float32)


def save(folder: str, outputs: np.ndarray, weights: Mapping[str, Mapping[str, np.ndarray]]) -> None:
    """Write what the engines are compared with.

    Args:
        folder: an existing folder.
        outputs: the outputs of our network for :func:`noise`.
        weights: source -> its name -> array.
    """
    np.save(Path(folder) / _OUTPUTS, outputs)
    for source, arrays in weights.items():
        np.savez(str(_path(folder, source)), **arrays)  # type: ignore[arg-type]  # numpy 2 has a keyword of its own


def weights(context: BenchmarkContext, source: str = OURS) -> Optional[Dict[str, np.ndarray]]:
    """The weights of the network under the names of a source.

    Args:
        context: description of the measurement.
        source: the source.

    Returns:
        Name -> array; None without a reference, or where the source has no names for them.
    """
    if context.reference is None or not _path(context.reference, source).is_file():
        return None
    with np.load(_path(context.reference, source)) as arrays:
        return dict(arrays)


def _path(folder: str, source: str) -> Path:
    return Path(folder) / f'{source}.npz'


def check_outputs(context: BenchmarkContext, workload: Workload) -> Optional[Dict[str, Any]]:
    """Compare the outputs of an engine with those of our network.

    Args:
        context: description of the measurement, with a reference.
        workload: the workload of the engine.

    Returns:
        ``largest``, the largest difference, ``scale``, the largest output, and ``relative``, one over the other; None
        for a workload whose outputs cannot be compared.

    Raises:
        RunError: they differ by more than the precision explains, so that its time would be that of another network.
    """
    from gluon_cbam.export.agreement import compare  # takes memory, which is measured where nothing is compared
    from gluon_cbam.export.precision import TF32, TOLERANCES, coarsest

    if workload.outputs is None:
        return None
    expected = np.load(Path(str(context.reference)) / _OUTPUTS)
    precision = context.dtype if context.gpus is None else coarsest(context.dtype, TF32)
    tolerance = TOLERANCES[precision] if workload.tolerance is None else workload.tolerance
    found = compare([np.array(workload.outputs())], [expected], tolerance).worst
    if not found.relative <= tolerance:
        raise RunError(
            f'its outputs differ by {found.largest:.3g} from ours, the largest of which is {found.scale:.3g}: its time '
            'would be that of another network'
        )
    return {'largest': found.largest, 'scale': found.scale, 'relative': found.relative}
