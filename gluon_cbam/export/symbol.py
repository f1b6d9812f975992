"""Symbols of stock MXNet: ``PREFIX-symbol.json``, ``PREFIX-0000.params``, and ``PREFIX-0000.json``, the card.

``mxnet.gluon.SymbolBlock.imports`` and ``mxnet.model.load_checkpoint`` read the first two without this package.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Callable, List

import mxnet as mx
import numpy as np

from gluon_cbam import weights, zoo
from gluon_cbam.common.errors import DataError
from gluon_cbam.common.files import PathLike, atomic_path, sha256, write_json, write_text

from .metadata import FLOATS, PIXELS, Description
from .tracing import DATA, Graph

_ENDING = '-symbol.json'


def files_of(prefix: PathLike) -> List[Path]:
    """The files of a prefix: symbol, parameters, card."""
    return [Path(f'{prefix}{ending}') for ending in (_ENDING, '-0000.params', '-0000.json')]


def write(graph: Graph, described: Description, prefix: PathLike, **card) -> List[Path]:
    """Write a traced network, each file whole or not at all, the card last.

    Args:
        graph: the network.
        described: what it is.
        prefix: of the files.
        **card: further fields of :class:`gluon_cbam.zoo.Card`.

    Returns:
        The files.
    """
    symbol, params, beside = files_of(prefix)
    auxiliary = set(graph.symbol.list_auxiliary_states())
    values = {
        f'{"aux" if name in auxiliary else "arg"}:{name}': mx.nd.array(value) for name, value in graph.params.items()
    }
    with atomic_path(params) as temporary:
        mx.nd.save(str(temporary), values)
        digest, size = sha256(temporary), os.path.getsize(temporary)
    write_text(symbol, graph.symbol.tojson())
    written = zoo.Card(
        network=described.network,
        classes=described.classes,
        preprocessing=described.preprocessing,
        class_names=described.class_names,
        provenance={'input': described.input, 'params_sha256': described.params_sha256},
        sha256=digest,
        bytes=size,
        **card,
    )
    write_json(beside, written.as_dict())
    return [symbol, params, beside]


def describe(path: Path) -> Description:
    """What the card of a symbol says.

    Args:
        path: ending in ``-symbol.json``.

    Raises:
        DataError: there is no card, or it is damaged or another file's.
    """
    _, params, beside = _beside(path)
    card = weights.read_card(params)
    if card is None:
        raise DataError(f'{path}: was not written by cbam export: there is no {beside.name} beside it')
    said = card.provenance or {}
    if said.get('input') not in (FLOATS, PIXELS):
        raise DataError(f'{beside}: is no card of an exported symbol: input is {said.get("input")!r}')
    return Description(
        card.network, card.classes, card.class_names, card.preprocessing, said['input'], said.get('params_sha256')
    )


def load(path: Path) -> Callable[[np.ndarray], List[np.ndarray]]:
    """A function from a batch to all outputs.

    Args:
        path: ending in ``-symbol.json``.

    Raises:
        DataError: the symbol or its parameters are damaged, or do not belong together.
    """
    _, params, _ = _beside(path)
    arrays = weights.read_arrays(params)
    try:
        symbol = mx.sym.load_json(_checked_json(path))
        given = {name.partition(':')[2] for name in arrays}
        wanted = set(symbol.list_inputs()) - {DATA}
        if given != wanted:
            raise ValueError(f'{params.name} does not hold its parameters: {sorted(given ^ wanted)[0]} is in one only')
        net = mx.gluon.SymbolBlock.imports(str(path), [DATA], str(params), ctx=mx.cpu())
    except Exception as error:  # MXNet raises what it runs into
        last = (str(error).strip().splitlines() or [''])[-1]
        raise DataError(f'{path}: MXNet does not take it: {type(error).__name__}: {last}') from error
    net.hybridize(static_alloc=True, static_shape=True)

    def run(batch: np.ndarray) -> List[np.ndarray]:
        output = net(mx.nd.array(batch, dtype=batch.dtype))
        return [value.asnumpy() for value in (output if isinstance(output, (list, tuple)) else [output])]

    return run


def _beside(path: Path) -> List[Path]:
    files = files_of(str(path)[: -len(_ENDING)])
    if not files[1].is_file():
        raise DataError(f'{path}: there is no {files[1].name} beside it')
    return files


def _checked_json(path: Path) -> str:
    text = path.read_text(encoding='utf-8')
    json.loads(text)
    return text
