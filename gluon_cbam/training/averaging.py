"""The moving average of the parameters, which often scores better than the last ones (Polyak and Juditsky, 1992)."""

from __future__ import annotations

from typing import Dict, List

import mxnet as mx

from ..errors import DataError
from .parameters import named

_UPDATES = 'updates'
_ARRAYS_A_KERNEL = 60


class Average:
    """An exponential moving average of all parameters, BatchNorm's running statistics included.

    After update t (from 0) it is ``d average + (1 - d) parameter`` with ``d = min(decay, (1 + t) / (10 + t))``, so that
    it forgets the initial values soon. It is computed on the first device, of that device's parameters: all have the
    same but for the running statistics. Nothing waits for the device.

    Args:
        net: that is trained, initialised.
        twin: another of the same network, to hold the average.
        decay: in (0, 1).
        ctx: the devices.
    """

    def __init__(self, net: mx.gluon.HybridBlock, twin: mx.gluon.HybridBlock, decay: float, ctx: List[mx.Context]):
        twin.initialize(ctx=ctx)
        twin.hybridize(static_alloc=True, static_shape=True)
        self._twin, self._decay, self._updates = twin, decay, 0
        self._averages = named(twin)
        # the twin's parameter is averaged from the net's; both stay where they are
        self._pairs = [(self._averages[name], parameter) for name, parameter in named(net).items()]
        for average, parameter in self._pairs:
            average.set_data(parameter.list_data()[0])

    def update(self) -> None:
        """Queue the update after one of the parameters."""
        decay = min(self._decay, (1 + self._updates) / (10 + self._updates))
        self._updates += 1
        for start in range(0, len(self._pairs), _ARRAYS_A_KERNEL):
            chunk = [[p.list_data()[0] for p in pair] for pair in self._pairs[start : start + _ARRAYS_A_KERNEL]]
            # one kernel for many arrays: it computes a - lr (p + wd a), here a + (1 - d) (p - a)
            mx.nd.multi_sgd_update(
                *(array for pair in chunk for array in pair), out=[average for average, _ in chunk],
                num_weights=len(chunk), lrs=[decay - 1] * len(chunk), wds=[-1.0] * len(chunk),
            )  # fmt: skip

    def network(self) -> mx.gluon.HybridBlock:
        """The network with the average, on every device."""
        for average, _ in self._pairs:
            average.set_data(average.list_data()[0])
        return self._twin

    def arrays(self) -> Dict[str, mx.nd.NDArray]:
        """Its state by name, as of :class:`.checkpoints.Part`."""
        values = {name: average.list_data()[0] for name, average in self._averages.items()}
        return {**values, _UPDATES: mx.nd.array([self._updates], dtype='int64')}

    def restore(self, arrays: Dict[str, mx.nd.NDArray], step: int) -> None:
        """Take back what :meth:`arrays` gave.

        Raises:
            DataError: it is not of this network.
        """
        for name, average in self._averages.items():
            if name not in arrays or arrays[name].shape != average.shape:
                raise DataError(f'the moving average of {name} is missing or does not fit: is it of another network?')
            average.set_data(arrays[name])
        self._updates = int(arrays[_UPDATES].asscalar())
