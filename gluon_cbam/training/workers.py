"""The processes that train one network together."""

from __future__ import annotations

from typing import List, Optional

import mxnet as mx
import numpy as np


class Workers:
    """A process that trains alone, with one device or several.

    Attributes:
        rank: this process' number, from 0. The one of rank 0 writes the run folder.
        size: how many processes there are.

    Args:
        kv_store: name of the store in which devices add their gradients.
    """

    rank = 0
    size = 1

    def __init__(self, kv_store: str):
        self._kv_store = kv_store

    def kvstore(self, ctx: List[mx.Context]) -> Optional[str]:
        """What ``gluon.Trainer`` takes as ``kvstore``: None for one device, which needs no store."""
        return self._kv_store if len(ctx) > 1 else None

    def start(self, trainer: mx.gluon.Trainer) -> None:
        """Called once before the first step: every process holds the same parameters after it.

        The trainer would do this in its first update, and give every device the running statistics of the first device
        when each has had a step of its own.
        """
        trainer._init_kvstore()
        trainer._init_params()

    def sum(self, values: np.ndarray) -> np.ndarray:
        """The sum over all processes of an array that each has, in float64."""
        return np.asarray(values, np.float64)

    def barrier(self) -> None:
        """Wait until every process is here."""
