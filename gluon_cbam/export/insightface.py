"""Checkpoints that insightface's scripts load: a symbol whose output is ``fc1``, from pixels in 0..255 to embeddings.

insightface reads ``PREFIX-symbol.json`` and ``PREFIX-0000.params`` with ``mxnet.model.load_checkpoint``, takes
``symbol.get_internals()['fc1_output']``, and feeds it (N, 3, H, W) float32, RGB in 0..255 (``face_model.py`` and
``verification.py``). The head of the loss is no part of our networks, so that nothing has to be removed.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import List

import mxnet as mx
import numpy as np

from gluon_cbam.common.errors import UsageError
from gluon_cbam.data.loading.preprocessing import Preprocessing

from .metadata import RAW
from .request import ExportRequest
from .symbol import write_symbol
from .tracing import TracedNetwork, trace

OUTPUT = 'fc1'
"""The layer whose output insightface takes for the embedding."""


def write_insightface(request: ExportRequest, prefix: Path) -> List[Path]:
    """Write a network for faces, each file atomically, the card last.

    Args:
        request: the network, which gives embeddings.
        prefix: the prefix of the files.

    Returns:
        The files: symbol, parameters, card.

    Raises:
        UsageError: the network gives no embeddings, or the file shall hold the whole preprocessing.
    """
    loaded = request.loaded
    if getattr(loaded.net, 'outputs', None) is None:
        raise UsageError(f'insightface loads embeddings, {loaded.name} gives logits: give --option embedding=512')
    if request.pixels:
        raise UsageError('insightface feeds (N, 3, H, W) floats in 0..255: leave out --preprocessing')
    preprocessing = loaded.preprocessing
    raw = None if _leaves_pixels(preprocessing) else preprocessing
    traced = _named(trace(loaded.net, preprocessing.image_size, raw=raw))
    return write_symbol(traced, replace(request.metadata(), input=RAW), prefix, options=loaded.options)


def _leaves_pixels(preprocessing: Preprocessing) -> bool:
    """Whether pixels stay in 0..255, since the network itself normalizes them."""
    return bool(np.allclose(preprocessing.scale, 1, atol=1e-6) and not preprocessing.shift.any())


def _named(traced: TracedNetwork) -> TracedNetwork:
    """The network with the name that insightface expects for its last layer."""
    graph = json.loads(traced.symbol.tojson())
    for node in graph['nodes']:
        if node['name'] == OUTPUT:
            node['name'] = f'{OUTPUT}_inner'
    graph['nodes'][graph['heads'][0][0]]['name'] = OUTPUT
    return replace(traced, symbol=mx.sym.load_json(json.dumps(graph)))
