"""Parameter files: saved with a card beside them, loaded strictly.

``best.params`` is what ``Block.save_parameters`` writes, so that any Gluon user can load it; ``best.json`` is its card
(:class:`gluon_cbam.zoo.Card`): network, classes, preprocessing and the file's SHA-256.
"""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path
from typing import Dict, List, Optional, Tuple

import mxnet as mx
import numpy as np

from gluon_cbam import zoo
from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.common.files import PathLike, atomic_path, sha256, write_text

from . import parameter_file, safetensors
from .assignment import check_arrays, set_parameters

TENSORS = '.safetensors'
_log = logging.getLogger('gluon_cbam.weights')


def save(net: mx.gluon.Block, path: PathLike, **card) -> zoo.Card:
    """Write parameters and their card atomically, the card last.

    Args:
        net: the network.
        path: ending in ``.params``; the card takes ``.json``.
        **card: fields of :class:`gluon_cbam.zoo.Card`, but ``sha256`` and ``bytes``.
    """
    path = Path(path)
    with atomic_path(path) as temporary:
        net.save_parameters(str(temporary))
        written = zoo.Card(sha256=sha256(temporary), bytes=os.path.getsize(temporary), **card)
    write_text(path.with_suffix('.json'), json.dumps(written.as_dict(), indent=1) + '\n')
    return written


def card_beside(path: PathLike, network: Optional[str] = None) -> Optional[zoo.Card]:
    """The card of a parameter file, after its hash was compared, or None without a card.

    Args:
        path: of the parameters.
        network: that they must be of; default any.

    Raises:
        DataError: the card is damaged, another file's, or another network's.
    """
    path = Path(path)
    if path.suffix == TENSORS:
        return _card_inside(path, network)
    beside = path.with_suffix('.json')
    if not beside.is_file():
        return None
    try:
        card = zoo.Card.from_dict(json.loads(beside.read_text(encoding='utf-8')), str(beside))
    except ValueError as error:
        raise DataError(str(error) if isinstance(error, DataError) else f'{beside}: not JSON ({error})') from None
    found = sha256(path)
    if found != card.sha256:
        raise DataError(
            f'{path} has the SHA-256 {found}, {beside.name} beside it says {card.sha256}: the file is damaged or '
            'another one; remove the card if that is intended'
        )
    return _of_network(card, path, network)


def _card_inside(path: Path, network: Optional[str]) -> Optional[zoo.Card]:
    """The card among the metadata of a safetensors file; hash and size are the file's."""
    said = safetensors.read_card(path)
    if not said:
        return None
    card = zoo.Card.from_dict({**said, 'sha256': sha256(path), 'bytes': os.path.getsize(path)}, str(path))
    return _of_network(card, path, network)


def _of_network(card: zoo.Card, path: Path, network: Optional[str]) -> zoo.Card:
    if network not in (None, card.network):
        raise DataError(f'{path} holds weights of {card.network}, not of {network}')
    return card


def load(net: mx.gluon.Block, path: PathLike, ctx=None) -> None:
    """Load a parameter file; every parameter is set, or none is.

    Args:
        net: the network, initialised or not.
        path: as :func:`save` or ``Block.save_parameters`` writes it.
        ctx: a context or a list, for a network that is not initialised; default the CPU.

    Raises:
        UsageError: there is no such file.
        DataError: it is damaged, holds values that are not finite, or does not fit.
    """
    values = _ours(path)
    check_arrays(net, {name: value.shape for name, value in values.items()}, what=f'{path}: parameters')
    set_parameters(net, values, ctx)


def load_for_fine_tuning(net, path: PathLike, ctx=None) -> List[str]:
    """Load a parameter file, but for the parts that other classes or input channels make anew.

    Args:
        net: a network of this package, not initialised; its ``adaptable`` parameters may be of other shapes than the
            file's, or in one of them only. They start as in a new network.
        path: as of :func:`load`.
        ctx: as of :func:`load`.

    Returns:
        What was made anew, one entry a parameter; also a warning of the log.

    Raises:
        UsageError: there is no such file.
        DataError: as of :func:`load`, for everything else.
    """
    values = _ours(path)
    parameters = net._collect_params_with_prefix()
    expected = {name: parameter.shape for name, parameter in parameters.items()}
    adaptable = tuple(net.adaptable)
    anew = [name for name in expected if name.startswith(adaptable) and _shape(values, name) != tuple(expected[name])]
    surplus = [name for name in values if name not in expected and name.startswith(adaptable)]
    kept = {name: value for name, value in values.items() if name not in anew and name not in surplus}
    shapes = {**{name: value.shape for name, value in kept.items()}, **{name: expected[name] for name in anew}}
    check_arrays(net, shapes, what=f'{path}: parameters')
    for name in anew:
        parameters[name].initialize(ctx=ctx or mx.cpu())
    set_parameters(net, kept, ctx)
    said = [f'{name} {tuple(expected[name])} instead of {_shape(values, name)}' for name in anew]
    if said:
        _log.warning('%s: made anew: %s', path, ', '.join(said))
    return said


def _shape(values, name: str) -> Optional[Tuple[int, ...]]:
    return tuple(values[name].shape) if name in values else None


def _ours(path: PathLike) -> Dict[str, mx.nd.NDArray]:
    """The float32 arrays of one of our parameter files by name; errors as of :func:`load`."""
    if not Path(path).is_file():
        raise UsageError(f'no parameter file {str(path)!r}')
    values = read_arrays(path)
    if any(name.startswith(('arg:', 'aux:')) for name in values):
        raise DataError(f'{path}: belongs to an exported symbol; load it with mxnet.gluon.SymbolBlock.imports')
    for name, value in values.items():
        if not np.isfinite(value.asnumpy()).all():
            raise DataError(f'{path}: {name} holds values that are not finite')
    return {name: value.astype('float32') for name, value in values.items()}


def read_arrays(path: PathLike) -> Dict[str, mx.nd.NDArray]:
    """The arrays of a file that MXNet or :mod:`gluon_cbam.weights.safetensors` wrote, by name.

    Raises:
        DataError: it is damaged, or holds arrays without names.
    """
    if Path(path).suffix == TENSORS:
        return {name: mx.nd.array(value, dtype=value.dtype) for name, value in safetensors.read(path).items()}
    numpy_semantics = parameter_file.check(path)
    try:
        with mx.util.np_shape(numpy_semantics):
            return mx.nd.load(str(path))
    except Exception as error:  # a damaged file makes MXNet raise whatever it runs into
        raise DataError(f'{path}: not a parameter file that MXNet reads ({type(error).__name__})') from error


def find_file(params: PathLike) -> Path:
    """The parameter file that ``--params`` names: a file, or a run folder for its best checkpoint, else its newest.

    Raises:
        UsageError: there is none.
    """
    path = Path(params)
    if path.is_dir():
        checkpoints = path / 'checkpoints' if (path / 'checkpoints').is_dir() else path
        states = sorted(checkpoints.glob('newest-*.json'), reverse=True)  # without a card they are not whole
        found = [*checkpoints.glob('best.params'), *(card.with_suffix('.params') for card in states)]
        if not found:
            raise UsageError(f'no checkpoint in {str(path)!r}')
        return found[0]
    if not path.is_file():
        raise UsageError(f'no parameter file {str(params)!r}')
    return path
