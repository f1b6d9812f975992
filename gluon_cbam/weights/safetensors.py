"""Parameters as safetensors, under the names of ``save_parameters``, with their card in the metadata."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict, Mapping, Tuple

import numpy as np

from gluon_cbam.common.damage import reading
from gluon_cbam.common.documents import parse_json
from gluon_cbam.common.errors import DataError
from gluon_cbam.common.files import PathLike
from gluon_cbam.common.packages import import_optional

_CARD = 'gluon_cbam.card'


def write(arrays: Mapping[str, np.ndarray], path: PathLike, card: Mapping[str, Any]) -> None:
    """Write arrays and their card.

    Args:
        arrays: name -> array.
        path: the path of the file.
        card: the fields of the card, as JSON holds them.

    Raises:
        DependencyError: safetensors is not installed.
    """
    metadata = {'format': 'mxnet', _CARD: json.dumps(card)}
    # its own writer hides the reason of a failed write
    content = import_optional('safetensors.numpy').save(
        {name: np.ascontiguousarray(value) for name, value in arrays.items()}, metadata
    )
    Path(path).write_bytes(content)


def read(path: PathLike) -> Dict[str, np.ndarray]:
    """Read the arrays of a file.

    Args:
        path: the path of the file.

    Returns:
        Name -> array.

    Raises:
        DataError: it is damaged.
        DependencyError: safetensors is not installed.
    """
    return _read(path)[0]


def read_card(path: PathLike) -> Dict[str, Any]:
    """Read the card of a file.

    Args:
        path: the path of the file.

    Returns:
        The fields of the card; empty for a file without one.

    Raises:
        DataError: the file or its card is damaged.
        DependencyError: safetensors is not installed.
    """
    text = _read(path)[1].get(_CARD, '{}')
    card = parse_json(text, f'{path}: its card')
    if not isinstance(card, dict):
        raise DataError(f'{path}: its card is not a mapping')
    return card


def _read(path: PathLike) -> Tuple[Dict[str, np.ndarray], Dict[str, str]]:
    """Arrays and metadata of a file."""
    safetensors = import_optional('safetensors')
    with reading(path, 'not a safetensors file that can be read'), safetensors.safe_open(str(Path(path)), 'np') as file:
        return {name: file.get_tensor(name) for name in file.keys()}, dict(file.metadata() or {})  # noqa: SIM118
