"""BatchNorm's running statistics of each device, for runs that resume bit for bit."""

from __future__ import annotations

from typing import Dict, Sequence

import mxnet as mx
from mxnet.gluon import Block

from .batch_norm import running_statistics


class DeviceStatistics:
    """The running statistics of the devices of a process, see :class:`.stateful.Stateful`.

    The parameters of a checkpoint have their mean. A run that continued with the mean on every device would differ from
    an unbroken one in the last bits of the mean. On another number of devices, it continues with the mean all the same.

    Args:
        nets: the networks, initialized.
        devices: number of devices of the process.
    """

    def __init__(self, nets: Sequence[Block], devices: int) -> None:
        self._devices = devices
        self._statistics = [statistic for net in nets for statistic in running_statistics(net)]

    def arrays(self) -> Dict[str, mx.nd.NDArray]:
        """The statistics by number and device; none of a single device, since the parameters have them."""
        if self._devices == 1:
            return {}
        return {
            f'{number}.{device}': value
            for number, statistic in enumerate(self._statistics)
            for device, value in enumerate(statistic.list_data())
        }

    def restore(self, arrays: Dict[str, mx.nd.NDArray], step: int) -> None:
        """Restore the statistics, if they are of as many devices.

        Args:
            arrays: the state by name.
            step: the step of the checkpoint; not used.
        """
        mine = self.arrays()
        if {name: array.shape for name, array in arrays.items()} != {name: array.shape for name, array in mine.items()}:
            return
        for name, value in mine.items():
            arrays[name].copyto(value)
