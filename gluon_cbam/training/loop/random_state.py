"""Random numbers of a step that follow from the seed and the step, so that a resumed run draws the same.

MXNet's random state cannot be read, so it cannot be saved.
"""

from __future__ import annotations

import json
import re
from typing import Optional

import mxnet as mx
import numpy as np

from gluon_cbam.ops.tracing import network_graph

# operators that draw random numbers: Dropout, the dropout of RNN, rrelu of LeakyReLU, and those named like the rest
_DRAWS = re.compile(r'Dropout|RNN|rrelu|random|_sample_|multinomial|shuffle')


class RandomState:
    """Seeds NumPy, and MXNet if the network draws random numbers: that takes the device about 3 ms a step.

    Args:
        net: the network that is trained; its graph shows whether it draws random numbers.
        seed: the seed of the run.
        rank: the rank of this process; each process draws for its own images.
        head: the head of the loss, or None; it is taken to draw, since its inputs are not known here.
    """

    def __init__(
        self, net: mx.gluon.HybridBlock, seed: int, rank: int = 0, head: Optional[mx.gluon.Block] = None
    ) -> None:
        self._entropy = [seed, rank]
        self._net_draws = head is not None or draws(net)

    def begin(self, step: int) -> None:
        """Seed the step; call it before each step.

        Args:
            step: the number of the step, from 0.
        """
        (number,) = np.random.SeedSequence([*self._entropy, step]).generate_state(1)
        np.random.seed(number)
        if self._net_draws:
            mx.random.seed(int(number) >> 1)  # it takes an int32


def draws(net: mx.gluon.HybridBlock) -> bool:
    """Whether a network draws random numbers in training."""
    nodes = json.loads(network_graph(net).tojson())['nodes']
    return any(_DRAWS.search(f'{node["op"]} {node.get("attrs", {}).get("act_type")}') for node in nodes)
