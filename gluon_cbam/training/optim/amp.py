"""float16: MXNet's automatic mixed precision, and the scale of the loss that keeps small gradients from vanishing.

Convolutions and fully connected layers compute in float16, sensitive operators and all parameters stay float32, so that
checkpoints, averages and optimizers know nothing of it. The scaler is our own: MXNet's does not save its state, and
applies a new scale one overflow late.
"""

from __future__ import annotations

import logging
from typing import Dict, List

import mxnet as mx

from gluon_cbam.common.errors import DataError, EnvironmentProblem, RunError

_log = logging.getLogger('gluon_cbam.training')
FLOAT16 = 'float16'
_ARRAYS_A_KERNEL = 200


def check(dtype: str, ctx: List[mx.Context]) -> None:
    """Check that devices can compute in a type.

    Raises:
        EnvironmentProblem: they cannot.
    """
    if dtype == FLOAT16 and any(context.device_type != 'gpu' for context in ctx):
        raise EnvironmentProblem('--dtype float16 needs GPUs: MXNet has no float16 matrix product for the CPU')


def enable(dtype: str) -> None:
    """Make MXNet's operators compute in a type, before a network is used. float16 holds for the rest of the process:
    MXNet cannot take it back."""
    if dtype == FLOAT16:
        from mxnet.contrib import amp

        amp.init(FLOAT16)


class LossScaler:
    """Dynamic loss scaling (Micikevicius et al., ICLR 2018): half the scale after an overflow, twice after many steps
    without one.

    Attributes:
        scale: that the loss of the next step is multiplied by.

    Args:
        scale: to begin with.
        patience: steps without overflow before it is doubled.
    """

    _most = 2.0**24

    def __init__(self, scale: float = 2.0**16, patience: int = 2000):
        self.scale = scale
        self._patience = patience
        self._good = 0

    def accept(self, gradients: List[mx.nd.NDArray]) -> bool:
        """Whether gradients are finite; if not, the update is to be left out. Sets the scale of the next step.

        It waits for the device: one number a step, which the decision needs.

        Args:
            gradients: of one device, after the devices added theirs.

        Raises:
            RunError: they overflow whatever the scale.
        """
        if _all_finite(gradients):
            self._good += 1
            if self._good % self._patience == 0:
                self.scale = min(2 * self.scale, self._most)
            return True
        if self.scale <= 1:
            raise RunError(
                'the gradients are not finite even without loss scaling: use a smaller --lr, more --warmup-epochs or '
                '--dtype float32'
            )
        self.scale, self._good = self.scale / 2, 0
        _log.info('gradients overflowed: update left out, loss scale now %g', self.scale)
        return False

    def arrays(self) -> Dict[str, mx.nd.NDArray]:
        """Its state by name, as of :class:`.checkpoints.Part`."""
        return {'scale': mx.nd.array([self.scale]), 'good': mx.nd.array([self._good], dtype='int64')}

    def restore(self, arrays: Dict[str, mx.nd.NDArray], step: int) -> None:
        """Take back what :meth:`arrays` gave.

        Raises:
            DataError: it is not there.
        """
        if not {'scale', 'good'} <= set(arrays):
            raise DataError('the checkpoint has no loss scale: was --dtype another?')
        self.scale, self._good = float(arrays['scale'].asscalar()), int(arrays['good'].asscalar())


def _all_finite(arrays: List[mx.nd.NDArray]) -> bool:
    finite = mx.nd.ones((1,), ctx=arrays[0].context)
    for start in range(0, len(arrays), _ARRAYS_A_KERNEL):
        chunk = arrays[start : start + _ARRAYS_A_KERNEL]
        mx.nd.multi_all_finite(*chunk, num_arrays=len(chunk), init_output=False, out=finite)
    return bool(finite.asscalar())
