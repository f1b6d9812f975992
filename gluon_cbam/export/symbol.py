"""Symbols of stock MXNet: ``PREFIX-symbol.json``, ``PREFIX-0000.params``, and ``PREFIX-0000.json``, the card.

``mxnet.gluon.SymbolBlock.imports`` and ``mxnet.model.load_checkpoint`` read the first two without this package.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Callable, List

import mxnet as mx
import numpy as np

from gluon_cbam import weights, zoo
from gluon_cbam.common.documents import parse_json, read_text
from gluon_cbam.common.errors import DataError
from gluon_cbam.common.files import PathLike, atomic_paths, sha256
from gluon_cbam.common.quoting import shown_name

from .metadata import FLOATS, PIXELS, RAW, SYMBOL_SUFFIX, ExportMetadata
from .symbol_graph import check_graph
from .tracing import DATA, TracedNetwork

_MAX_BYTES = 1 << 24  # of a symbol; that of cbam_resnet101 in int8 has 1 MB
SYMBOL_ENDINGS = (SYMBOL_SUFFIX, '-0000.params', '-0000.json')
"""What the names of the files end in after their prefix: symbol, parameters, card."""


def symbol_files(prefix: PathLike) -> List[Path]:
    """The files of a prefix: symbol, parameters, card."""
    return [Path(f'{prefix}{ending}') for ending in SYMBOL_ENDINGS]


def write_symbol(traced: TracedNetwork, metadata: ExportMetadata, prefix: PathLike, **card: Any) -> List[Path]:
    """Write a traced network, each file atomically, the card last.

    Args:
        traced: the network.
        metadata: the metadata of the network.
        prefix: the prefix of the files.
        **card: further fields of :class:`gluon_cbam.zoo.Card`.

    Returns:
        The files: symbol, parameters, card.
    """
    symbol, params, card_file = symbol_files(prefix)
    auxiliary = set(traced.symbol.list_auxiliary_states())
    values = {
        f'{"aux" if name in auxiliary else "arg"}:{name}': mx.nd.array(value) for name, value in traced.params.items()
    }
    with atomic_paths(params, symbol, card_file) as (arrays, graph, description):
        weights.write_arrays(values, arrays)
        graph.write_text(traced.symbol.tojson(), encoding='utf-8')
        written = _card(metadata, arrays, **card)
        description.write_text(json.dumps(written.as_dict(), indent=1) + '\n', encoding='utf-8')
    return [symbol, params, card_file]


def _card(metadata: ExportMetadata, params: Path, **card: Any) -> zoo.Card:
    """The card of parameters that were written."""
    return zoo.Card(
        network=metadata.network,
        classes=metadata.classes,
        preprocessing=metadata.preprocessing,
        class_names=metadata.class_names,
        provenance={
            'input': metadata.input,
            'params_sha256': metadata.params_sha256,
            **({'embeddings': True} if metadata.embeddings else {}),
        },
        sha256=sha256(params),
        bytes=os.path.getsize(params),
        task=metadata.task,
        **card,
    )


def read_symbol_metadata(path: Path) -> ExportMetadata:
    """Read the metadata of a symbol from its card.

    Args:
        path: the path of the symbol, ending in ``-symbol.json``.

    Returns:
        The metadata.

    Raises:
        DataError: there is no card, or it is damaged or of another file.
    """
    _, params, card_file = _existing_files(path)
    card = weights.read_card(params)
    if card is None:
        raise DataError(f'{path}: was not written by cbam export: there is no {card_file.name} next to it')
    provenance = card.provenance or {}
    if provenance.get('input') not in (FLOATS, PIXELS, RAW):
        raise DataError(f'{card_file}: is not the card of an exported symbol: input is {provenance.get("input")!r}')
    return ExportMetadata(
        card.network,
        card.classes,
        card.class_names,
        card.preprocessing,
        provenance['input'],
        provenance.get('params_sha256'),
        card.task,
        provenance.get('embeddings') is True or None,
    )


def load_symbol(path: Path) -> Callable[[np.ndarray], List[np.ndarray]]:
    """Load a symbol and its parameters on the CPU.

    Args:
        path: ending in ``-symbol.json``.

    Returns:
        A function from a batch to all outputs.

    Raises:
        DataError: the symbol or its parameters are damaged, or do not belong together.
    """
    _, params, _ = _existing_files(path)
    arrays = weights.read_arrays(params)
    try:
        symbol = mx.sym.load_json(_checked_json(path))
        given = {name.partition(':')[2] for name in arrays}
        wanted = set(symbol.list_inputs()) - {DATA}
        if given != wanted:
            differs = shown_name(sorted(given ^ wanted)[0])
            raise ValueError(f'{params.name} does not hold its parameters: {differs} is in one only')
        # as SymbolBlock.imports, which warns that it cannot decide the type of the input
        net = mx.gluon.SymbolBlock(symbol, [mx.sym.var(DATA, dtype='float32')])
        net.collect_params().load(str(params), mx.cpu(), cast_dtype=True, dtype_source='saved')
    except Exception as error:  # MXNet raises errors of many classes
        last = (str(error).strip().splitlines() or [''])[-1]
        raise DataError(f'{path}: MXNet cannot load it: {type(error).__name__}: {shown_name(last)}') from error
    net.hybridize(static_alloc=True, static_shape=True)

    def run(batch: np.ndarray) -> List[np.ndarray]:
        output = net(mx.nd.array(batch, dtype=batch.dtype))
        return [value.asnumpy() for value in (output if isinstance(output, (list, tuple)) else [output])]

    return run


def _existing_files(path: Path) -> List[Path]:
    files = symbol_files(str(path)[: -len(SYMBOL_SUFFIX)])
    if not files[1].is_file():
        raise DataError(f'{path}: there is no {files[1].name} next to it')
    return files


def _checked_json(path: Path) -> str:
    text = read_text(path, _MAX_BYTES)
    check_graph(parse_json(text, str(path), _MAX_BYTES))
    return text
