"""Automatic mixed precision (AMP): float16 by MXNet's operator lists, with dynamic loss scaling.

Convolutions and fully connected layers compute in float16, sensitive operators and all parameters stay float32, so that
checkpoints, the moving average and optimizers are the same as without it. The scaler is our own: MXNet's does not save
its state, and applies a new scale one overflow late.
"""

from __future__ import annotations

import logging
from typing import Dict, List

import mxnet as mx

from gluon_cbam.common.errors import DataError, EnvironmentProblem, RunError

_log = logging.getLogger('gluon_cbam.training')
FLOAT16 = 'float16'
_ARRAYS_PER_KERNEL = 200
_MAX_SCALE = 2.0**24


def check(dtype: str, ctx: List[mx.Context]) -> None:
    """Check that devices can compute in a data type.

    Args:
        dtype: ``float32`` or ``float16``.
        ctx: the devices.

    Raises:
        EnvironmentProblem: a device cannot.
    """
    if dtype == FLOAT16 and any(context.device_type != 'gpu' for context in ctx):
        raise EnvironmentProblem('--dtype float16 needs GPUs: MXNet has no float16 matrix product for the CPU')


def enable(dtype: str) -> None:
    """Make MXNet's operators compute in a data type; call it before a network is used.

    float16 stays enabled for the rest of the process: MXNet cannot undo it.

    Args:
        dtype: ``float32``, which changes nothing, or ``float16``.
    """
    if dtype == FLOAT16:
        from mxnet.contrib import amp

        amp.init(FLOAT16)


class LossScaler:
    """Dynamic loss scaling (Micikevicius et al., ICLR 2018), with the defaults of PyTorch's ``GradScaler``.

    The scale is halved after a step whose gradients overflow, and doubled after ``growth_interval`` steps without one,
    up to 2**24.

    Attributes:
        scale: factor of the loss in the next step.

    Args:
        scale: the scale of the first step.
        growth_interval: consecutive steps without overflow after which the scale is doubled.
    """

    def __init__(self, scale: float = 2.0**16, growth_interval: int = 2000):
        self.scale = scale
        self._growth_interval = growth_interval
        self._good = 0

    def accept(self, gradients: List[mx.nd.NDArray]) -> bool:
        """Decide whether a step's update is done, and set the scale of the next step.

        This waits for the device, since the decision needs a number from it.

        Args:
            gradients: the gradients of one device, after the gradients of all devices were added; and whatever else
                on this device must be finite.

        Returns:
            Whether all gradients are finite; otherwise the update must be skipped.

        Raises:
            RunError: they are not finite even with a scale of 1.
        """
        if _all_finite(gradients):
            self._good += 1
            if self._good % self._growth_interval == 0:
                self.scale = min(2 * self.scale, _MAX_SCALE)
            return True
        if self.scale <= 1:
            raise RunError(
                'the gradients are not finite even without loss scaling: use a smaller --lr, more --warmup-epochs or '
                '--dtype float32'
            )
        self.scale, self._good = self.scale / 2, 0
        _log.info('gradients overflowed: update skipped, loss scale now %g', self.scale)
        return False

    def arrays(self) -> Dict[str, mx.nd.NDArray]:
        """The state by name; see :class:`gluon_cbam.training.parameters.stateful.Stateful`."""
        return {'scale': mx.nd.array([self.scale]), 'good': mx.nd.array([self._good], dtype='int64')}

    def restore(self, arrays: Dict[str, mx.nd.NDArray], step: int) -> None:
        """Restore the state that :meth:`arrays` returned.

        Args:
            arrays: the state by name.
            step: the step of the checkpoint; not used.

        Raises:
            DataError: an array is missing.
        """
        if not {'scale', 'good'} <= set(arrays):
            raise DataError('the checkpoint has no loss scale: was it saved with another --dtype?')
        self.scale, self._good = float(arrays['scale'].asscalar()), int(arrays['good'].asscalar())


def _all_finite(arrays: List[mx.nd.NDArray]) -> bool:
    """Whether arrays of one device have neither infinities nor NaN."""
    finite = mx.nd.ones((1,), ctx=arrays[0].context)
    for start in range(0, len(arrays), _ARRAYS_PER_KERNEL):
        chunk = arrays[start : start + _ARRAYS_PER_KERNEL]
        mx.nd.multi_all_finite(*chunk, num_arrays=len(chunk), init_output=False, out=finite)
    return bool(finite.asscalar())
