"""Load a parameter file into a network: strictly, or for fine-tuning."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Dict, List, Optional, Sequence

import mxnet as mx
import numpy as np

from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.common.files import PathLike
from gluon_cbam.common.quoting import shown_name

from .assignment import Contexts, check_arrays, set_fitting, set_parameters
from .files import read_arrays

_log = logging.getLogger('gluon_cbam.weights')


def load(net: mx.gluon.Block, path: PathLike, ctx: Optional[Contexts] = None) -> None:
    """Load a parameter file. Every parameter is set, or none is.

    Args:
        net: the network, initialized or not.
        path: the path of a file that :func:`gluon_cbam.weights.save` or ``Block.save_parameters`` wrote.
        ctx: one context or a list of them, for a network that is not initialized; default the CPU.

    Raises:
        UsageError: there is no such file.
        DataError: it is damaged, holds values that are not finite, or does not fit.
    """
    values = _read(path)
    check_arrays(net, {name: value.shape for name, value in values.items()}, what=f'{path}: parameters')
    set_parameters(net, values, ctx)


def load_for_fine_tuning(
    net: mx.gluon.Block, path: PathLike, ctx: Optional[Contexts] = None, added: Sequence[str] = ()
) -> List[str]:
    """Load a parameter file into a network that may have another number of classes or of input channels.

    Args:
        net: a network of this package, not initialized. Its ``adaptable`` parameters may have other shapes than in the
            file, or be only in the network or only in the file. Those that the file does not fit are initialized as in
            a new network.
        path: see :func:`load`.
        ctx: see :func:`load`.
        added: names of parameters that the network has in addition to the one of the file, which must not have them;
            they are initialized as in a new network.

    Returns:
        The other parameters that were newly initialized, one entry each; a warning lists them, too.

    Raises:
        UsageError: there is no such file.
        DataError: it is damaged, holds values that are not finite, or does not fit in other parameters.
    """
    entries = set_fitting(net, _read(path), tuple(net.adaptable), f'{path}: parameters', ctx, added)
    if entries:
        _log.warning('%s: newly initialized: %s', path, ', '.join(entries))
    return entries


def _read(path: PathLike) -> Dict[str, mx.nd.NDArray]:
    """The arrays of a file of ours by name, float32, after a check that they are finite."""
    if not Path(path).is_file():
        raise UsageError(f'no parameter file {str(path)!r}')
    values = read_arrays(path)
    if any(name.startswith(('arg:', 'aux:')) for name in values):
        raise DataError(f'{path}: belongs to an exported symbol; load it with mxnet.gluon.SymbolBlock.imports')
    for name, value in values.items():
        if not np.isfinite(value.asnumpy()).all():
            raise DataError(f'{path}: {shown_name(name)} holds values that are not finite')
    return {name: value.astype('float32') for name, value in values.items()}
