"""The moving average of the parameters, which often scores better than the last ones (Polyak and Juditsky, 1992)."""

from __future__ import annotations

from typing import Dict, List

import mxnet as mx

from gluon_cbam.common.errors import DataError

from .batch_norm import mean_over_devices, moving_statistics, share_statistics
from .selection import named

_UPDATES = 'updates'
_ARRAYS_A_KERNEL = 60


class Average:
    """An exponential moving average of all parameters, BatchNorm's running statistics included.

    After update t (from 0) it is ``d average + (1 - d) parameter`` with ``d = min(decay, (1 + t) / (10 + t))``, so that
    it forgets the initial values soon. Every device averages its own, and nothing waits for a device.

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
        self._moving = {id(statistic) for statistic in moving_statistics(twin)}
        parameters = named(net)
        for name, average in self._averages.items():
            average.set_data(parameters[name].list_data()[0])
        # device by device: the twin's arrays are averaged from the net's, and both stay where they are
        averaged = zip(*(average.list_data() for average in self._averages.values()))
        self._pairs = list(zip(averaged, zip(*(parameters[name].list_data() for name in self._averages))))

    def update(self) -> None:
        """Queue the update after one of the parameters."""
        decay = min(self._decay, (1 + self._updates) / (10 + self._updates))
        self._updates += 1
        for averages, values in self._pairs:
            for start in range(0, len(averages), _ARRAYS_A_KERNEL):
                chunk = slice(start, start + _ARRAYS_A_KERNEL)
                count = len(averages[chunk])
                # one kernel for many arrays: it computes a - lr (p + wd a), here a + (1 - d) (p - a)
                mx.nd.multi_sgd_update(
                    *(array for pair in zip(averages[chunk], values[chunk]) for array in pair),
                    out=averages[chunk], num_weights=count, lrs=[decay - 1] * count, wds=[-1.0] * count,
                )  # fmt: skip

    def network(self) -> mx.gluon.HybridBlock:
        """The network with the average, the same on every device."""
        share_statistics(self._twin)
        return self._twin

    def arrays(self) -> Dict[str, mx.nd.NDArray]:
        """Its state by name, as of :class:`.checkpoints.Part`."""
        values = {
            name: mean_over_devices(average) if id(average) in self._moving else average.list_data()[0]
            for name, average in self._averages.items()
        }
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
