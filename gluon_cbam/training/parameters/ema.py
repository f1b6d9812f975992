"""The exponential moving average (EMA) of the parameters (Polyak and Juditsky, 1992)."""

from __future__ import annotations

from typing import Dict, List

import mxnet as mx

from gluon_cbam.common.errors import DataError
from gluon_cbam.weights.writing import value_of

from .batch_norm import running_statistics
from .selection import named

_UPDATES = 'updates'
_ARRAYS_PER_KERNEL = 60


class ModelEma:
    """An exponential moving average of all parameters, BatchNorm's running statistics included.

    After update t (from 0) it is ``d average + (1 - d) parameter`` with ``d = min(decay, (1 + t) / (10 + t))``, so that
    the initial values soon have little weight. Every device averages its own parameters; nothing waits for a device.

    Attributes:
        net: the network with the average; each device has running statistics of its own.

    Args:
        net: the network that is trained, initialized.
        ema_net: another network of the same model, not initialized, to hold the average.
        decay: the decay of the average, in (0, 1).
        ctx: the devices.
    """

    def __init__(self, net: mx.gluon.HybridBlock, ema_net: mx.gluon.HybridBlock, decay: float, ctx: List[mx.Context]):
        ema_net.initialize(ctx=ctx)
        ema_net.hybridize(static_alloc=True, static_shape=True)
        self.net, self._decay, self._updates = ema_net, decay, 0
        self._averages = named(ema_net)
        self._running = {id(statistic) for statistic in running_statistics(ema_net)}
        parameters = named(net)
        for name, average in self._averages.items():
            average.set_data(parameters[name].list_data()[0])
        # pairs of arrays of one device, (average, parameter); these arrays are not replaced later
        averaged = zip(*(average.list_data() for average in self._averages.values()))
        self._pairs = list(zip(averaged, zip(*(parameters[name].list_data() for name in self._averages))))

    def update(self) -> None:
        """Queue the update of the average, after an update of the parameters."""
        decay = min(self._decay, (1 + self._updates) / (10 + self._updates))
        self._updates += 1
        for averages, values in self._pairs:
            for start in range(0, len(averages), _ARRAYS_PER_KERNEL):
                chunk = slice(start, start + _ARRAYS_PER_KERNEL)
                count = len(averages[chunk])
                # one kernel for many arrays: it computes a - lr (p + wd a), here a + (1 - d) (p - a)
                mx.nd.multi_sgd_update(
                    *(array for pair in zip(averages[chunk], values[chunk]) for array in pair),
                    out=averages[chunk], num_weights=count, lrs=[decay - 1] * count, wds=[-1.0] * count,
                )  # fmt: skip

    def arrays(self) -> Dict[str, mx.nd.NDArray]:
        """The state by name; see :class:`gluon_cbam.training.parameters.stateful.Stateful`."""
        values = {
            name: value_of(average) if id(average) in self._running else average.list_data()[0]
            for name, average in self._averages.items()
        }
        return {**values, _UPDATES: mx.nd.array([self._updates], dtype='int64')}

    def restore(self, arrays: Dict[str, mx.nd.NDArray], step: int) -> None:
        """Restore the state that :meth:`arrays` returned.

        Args:
            arrays: the state by name.
            step: the step of the checkpoint; not used.

        Raises:
            DataError: an array is missing or has another shape.
        """
        for name, average in self._averages.items():
            if name not in arrays or arrays[name].shape != average.shape:
                raise DataError(
                    f'the moving average of {name} is missing or does not fit: was it saved with another network?'
                )
            average.set_data(arrays[name])
        self._updates = int(arrays[_UPDATES].asscalar())
