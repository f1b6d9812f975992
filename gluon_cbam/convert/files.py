"""Reading and writing parameter files of other implementations."""

from __future__ import annotations

import io
import logging
from glob import escape
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional

import mxnet as mx
import numpy as np

from gluon_cbam import weights
from gluon_cbam.common import numpy_file
from gluon_cbam.common.damage import reading
from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.common.files import PathLike, atomic_path, atomic_paths
from gluon_cbam.common.quoting import shown_name
from gluon_cbam.compat.renamed import renamed_attributes
from gluon_cbam.models import build
from gluon_cbam.weights import parameter_file, safetensors

from . import pytorch
from .loading import load_arrays, scheme_of
from .state_dicts import without_prefixes
from .symbols import to_symbol
from .writing import to_arrays

_log = logging.getLogger('gluon_cbam.convert')
_FORMATS = '.params, .npz, .safetensors, .pth, .pt, .ckpt, .bin, .pth.tar, or the prefix of PREFIX-0000.params'
_BY_CONTENT = ('.pth', '.pt', '.ckpt', '.bin', '.tar')  # the same ending is given to files of several formats


def read_arrays(path: PathLike, state_dict: Optional[str] = None) -> Dict[str, np.ndarray]:
    """Read the arrays of a file under the names in it.

    Args:
        path: ``.params`` of Gluon or of a symbol, whose names then begin with ``arg:`` and ``aux:``; the prefix of such
            files, for the newest epoch; ``.npz``; ``.safetensors``; ``.pth``, ``.pt``, ``.ckpt``, ``.bin`` or
            ``.pth.tar``, whose format is told from their beginning, mostly that of PyTorch: a state_dict, or a
            checkpoint that holds one, see :mod:`.state_dicts`; torch is not needed.
        state_dict: name of the state_dict in a checkpoint of PyTorch that holds several; default the plain model.

    Returns:
        Name -> array.

    Raises:
        UsageError: there is no such file, its ending is unknown, or it has no such state_dict.
        DataError: it is damaged, or does not hold arrays of finite numbers by name.
    """
    path = _find(Path(path))
    form = _format(path)
    if state_dict is not None and form != '.pth':
        raise UsageError(f'{path}: only a PyTorch checkpoint has a state_dict to choose, got {state_dict!r}')
    arrays = pytorch.read(path, state_dict) if form == '.pth' else _READERS[form](path)
    for name, array in arrays.items():
        if array.dtype.kind not in 'fiub':
            raise DataError(f'{path}: {shown_name(name)} does not hold numbers ({shown_name(str(array.dtype))})')
        if not np.isfinite(array).all():
            raise DataError(f'{path}: {shown_name(name)} holds values that are not finite')
    return arrays


def _format(path: Path) -> str:
    """The ending of the format of a file."""
    if path.suffix in _READERS:
        return path.suffix
    if path.suffix not in _BY_CONTENT:
        raise UsageError(f'cannot tell the format of {str(path)!r}: give {_FORMATS}')
    with open(path, 'rb') as file:
        begin = file.read(9)
    if begin.startswith(parameter_file.MAGIC):
        return '.params'
    if begin[8:] == b'{':  # after the length of the header
        return '.safetensors'
    return '.npz' if begin.startswith(pytorch.ZIP) and numpy_file.is_numpy(path) else '.pth'


def _find(path: Path) -> Path:
    """A file, or the newest epoch of a prefix."""
    if path.is_file():
        return path
    epochs = sorted(path.parent.glob(f'{escape(path.name)}-[0-9][0-9][0-9][0-9].params'))
    if not epochs:
        raise UsageError(f'no parameter file {str(path)!r}: give {_FORMATS}')
    return epochs[-1]


def _read_mxnet(path: Path) -> Dict[str, np.ndarray]:
    """The arrays of a ``.params`` file."""
    return {name: value.asnumpy() for name, value in weights.read_arrays(path).items()}


_READERS: Dict[str, Callable[[Path], Dict[str, np.ndarray]]] = {
    '.params': _read_mxnet, '.npz': numpy_file.read, '.safetensors': safetensors.read,
}  # fmt: skip


def converted(
    path: PathLike,
    network: str,
    source: str,
    options: Optional[Dict[str, Any]] = None,
    classes: Optional[int] = None,
    no_head: bool = False,
    state_dict: Optional[str] = None,
) -> mx.gluon.HybridBlock:
    """Build a network with the parameters of a source's file.

    Args:
        path: see :func:`read_arrays`. Prefixes that all names have, such as ``module.``, are removed.
        network: name of the model.
        source: see :func:`.load_arrays`.
        options: the options of the model's family.
        classes: outputs of the network; default 1000; without effect on models that give embeddings.
        no_head: see :func:`.load_arrays`; a warning lists what starts anew.
        state_dict: see :func:`read_arrays`.

    Returns:
        The network, initialized on the CPU.

    Raises:
        UsageError: an unknown name, option or format.
        DataError: the file is damaged or does not fit.
    """
    scheme_of(source)
    net = build(network, classes=classes, **(options or {}))
    arrays = read_arrays(path, state_dict)
    with reading(path):
        arrays = without_prefixes(arrays, no_head)
    new = load_arrays(net, arrays, source, no_head=no_head)
    if new:
        _log.warning('%s: newly initialized: %s', path, ', '.join(new))
    return net


def write_source(net: mx.gluon.HybridBlock, output: PathLike, source: str) -> List[Path]:
    """Write the parameters of a network as a file of a source.

    Args:
        net: the network, initialized.
        output: for ``modified`` the prefix of ``PREFIX-symbol.json`` and ``PREFIX-0000.params``; ending in ``.params``
            for ``imgclsmob``; in ``.npz`` for any source.
        source: see :func:`.load_arrays`.

    Returns:
        The files written.

    Raises:
        UsageError: an unknown source or format, or the source has no such network.
    """
    output = Path(output)
    if output.suffix == '.npz':
        arrays: Dict[str, Any] = to_arrays(net, source)
        file = io.BytesIO()  # zipfile prints a traceback where a full disk refuses the end of a file
        np.savez(file, **arrays)
        with atomic_path(output) as temporary:
            temporary.write_bytes(file.getvalue())  # Python 3.12.1 may crash when it collects a view of it
    elif source == 'imgclsmob' and output.suffix == '.params':
        arrays = to_arrays(net, source)
        with atomic_path(output) as temporary:
            weights.write_arrays({name: mx.nd.array(value) for name, value in arrays.items()}, temporary)
    elif source == 'modified' and output.suffix not in ('.params', '.json'):
        return write_checkpoint(net, output, source)
    else:
        wanted = {'modified': 'a prefix', 'imgclsmob': '.params'}
        endings = ' or '.join([*([wanted[source]] if source in wanted else []), '.npz'])
        raise UsageError(f'{source} parameters are written to {endings}, got {str(output)!r}')
    return [output]


def checkpoint_files(prefix: PathLike) -> List[Path]:
    """The files of a checkpoint's prefix: symbol, parameters."""
    return [Path(f'{prefix}-symbol.json'), Path(f'{prefix}-0000.params')]


def write_checkpoint(net: mx.gluon.HybridBlock, prefix: PathLike, source: str = 'modified') -> List[Path]:
    """Write a checkpoint for ``mx.model.load_checkpoint(prefix, 0)``, under the names of a source.

    Args:
        net: the network, initialized.
        prefix: the prefix of ``PREFIX-symbol.json`` and ``PREFIX-0000.params``.
        source: see :func:`.load_arrays`.

    Returns:
        The files written, each of them atomically.

    Raises:
        UsageError: the source has no such network.
    """
    symbol = to_symbol(net, source)
    auxiliary = set(symbol.list_auxiliary_states())
    values = {
        f'{"aux" if name in auxiliary else "arg"}:{name}': mx.nd.array(value)
        for name, value in to_arrays(net, source).items()
    }
    graph, params = checkpoint_files(prefix)
    with atomic_paths(params, graph) as (parameters, description):
        weights.write_arrays(values, parameters)
        description.write_text(symbol.tojson(), encoding='utf-8')
    return [graph, params]


__getattr__ = renamed_attributes(
    __name__,
    {
        'from_source': 'pretrained.conversion.from_source',
        'to_source': 'pretrained.conversion.to_source',
    },
)
