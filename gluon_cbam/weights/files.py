"""Parameter files and their cards.

``best.params`` is what ``Block.save_parameters`` writes, so that any Gluon user can load it; ``best.json`` next to it
is its card (:class:`gluon_cbam.zoo.Card`): network, classes, preprocessing and the SHA-256 of the file.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Dict, Optional

import mxnet as mx

from gluon_cbam import zoo
from gluon_cbam.common.damage import reading
from gluon_cbam.common.documents import read_json
from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.common.files import PathLike, atomic_paths, sha256

from . import parameter_file, safetensors
from .writing import write_parameters

TENSORS = '.safetensors'
"""The ending of parameter files that contain their card."""


def save(net: mx.gluon.Block, path: PathLike, **card: Any) -> zoo.Card:
    """Write parameters and their card atomically, the card last.

    Args:
        net: the network.
        path: ending in ``.params``; the card takes ``.json``.
        **card: fields of :class:`gluon_cbam.zoo.Card` without ``sha256`` and ``bytes``.

    Returns:
        The card.

    Raises:
        DataError: a field of the card is not valid.
        TransferError: the disk is full; older files of these names are as they were.
    """
    path = Path(path)
    with atomic_paths(path, path.with_suffix('.json')) as (parameters, description):
        write_parameters(net, parameters)
        written = zoo.Card(sha256=sha256(parameters), bytes=os.path.getsize(parameters), **card)
        description.write_text(json.dumps(written.as_dict(), indent=1) + '\n', encoding='utf-8')
    return written


def read_card(path: PathLike, network: Optional[str] = None, plain: Optional[str] = None) -> Optional[zoo.Card]:
    """Read the card of a parameter file, and compare its hash with the file.

    Args:
        path: the path of the parameters; the card is the ``.json`` next to it, or inside a ``.safetensors``.
        network: name of the model that the parameters must be of; default any.
        plain: name of another model that they may be of.

    Returns:
        The card; None for a file without one.

    Raises:
        DataError: the card is damaged, or belongs to another file or another model.
    """
    path = Path(path)
    if path.suffix == TENSORS:
        return _of_network(_card_inside(path), path, network, plain)
    json_path = path.with_suffix('.json')
    if not json_path.is_file():
        return None
    card = zoo.Card.from_dict(read_json(json_path), str(json_path))
    found = sha256(path)
    if found != card.sha256:
        raise DataError(
            f'{path} has the SHA-256 {found}, its card {json_path.name} states {card.sha256}: the file is damaged or '
            'another one; remove the card if that is intended'
        )
    return _of_network(card, path, network, plain)


def _card_inside(path: Path) -> Optional[zoo.Card]:
    """The card in the metadata of a safetensors file, with the hash and size of the file."""
    values = safetensors.read_card(path)
    if not values:
        return None
    return zoo.Card.from_dict({**values, 'sha256': sha256(path), 'bytes': os.path.getsize(path)}, str(path))


def _of_network(
    card: Optional[zoo.Card], path: Path, network: Optional[str], plain: Optional[str]
) -> Optional[zoo.Card]:
    """The card, after a check of its model."""
    if card and network is not None and card.network not in (network, plain):
        raise DataError(f'{path} holds weights of {card.network}, not of {network}')
    return card


def read_arrays(path: PathLike) -> Dict[str, mx.nd.NDArray]:
    """Read the arrays of a file that MXNet or :mod:`gluon_cbam.weights.safetensors` wrote.

    Args:
        path: the path of the file, which exists.

    Returns:
        Name -> array, of the type in the file.

    Raises:
        DataError: it is damaged, or holds arrays without names.
    """
    if Path(path).suffix == TENSORS:
        return {name: mx.nd.array(value, dtype=value.dtype) for name, value in safetensors.read(path).items()}
    numpy_semantics = parameter_file.check(path)
    with reading(path, 'not a parameter file that MXNet reads'), mx.util.np_shape(numpy_semantics):
        return mx.nd.load(str(path))


def find_file(params: PathLike) -> Path:
    """Find the parameter file that ``--params`` names.

    Args:
        params: a parameter file, or a run folder.

    Returns:
        The file, or the best checkpoint of the run folder, or its newest if there is no best.

    Raises:
        UsageError: there is none.
    """
    path = Path(params)
    if path.is_dir():
        checkpoints = path / 'checkpoints' if (path / 'checkpoints').is_dir() else path
        cards = sorted(checkpoints.glob('newest-*.json'), reverse=True)  # the card of a checkpoint is written last
        found = [*checkpoints.glob('best.params'), *(card.with_suffix('.params') for card in cards)]
        if not found:
            raise UsageError(f'no checkpoint in {str(path)!r}')
        return found[0]
    if not path.is_file():
        raise UsageError(f'no parameter file or run folder {str(params)!r}')
    return path
