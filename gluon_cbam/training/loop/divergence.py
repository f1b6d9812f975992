"""Detection of a run that has diverged, by the loss of its steps."""

from __future__ import annotations

from typing import Optional

import numpy as np

from gluon_cbam.common.errors import RunError

_FACTOR = 1000.0  # healthy losses rise by a factor of ten or so: in warm-up, or where a network is fine-tuned


class DivergenceCheck:
    """Checks that the loss of every step is finite and has not exploded.

    A loss may explode and stay finite, for instance at 5e27: the weights are as lost as with NaN. The limit is the
    objective's own, or 1000 times the loss of the first step that is checked if that is higher, so that a run that
    begins with a high loss can bring it down.

    Args:
        largest_loss: see :class:`gluon_cbam.tasks.objective.Objective`.
    """

    def __init__(self, largest_loss: float) -> None:
        self._largest = largest_loss
        self._limit: Optional[float] = None

    def __call__(self, losses: np.ndarray, step: int, epoch: int) -> None:
        """Check the losses of some steps.

        Args:
            losses: mean loss of each step.
            step: number of the first of them, from 1.
            epoch: number of their epoch, from 1.

        Raises:
            RunError: the loss of a step is not finite, or too large.
        """
        if self._limit is None:
            self._limit = max(self._largest, _FACTOR * float(losses[0]) if np.isfinite(losses[0]) else 0.0)
        bad = np.flatnonzero(~(np.abs(losses) <= self._limit))
        if not len(bad):
            return
        loss = losses[bad[0]]
        limit = f', more than {self._limit:.3g}' if np.isfinite(loss) else ''
        raise RunError(
            f'the loss is {loss:g} at step {step + int(bad[0])} (epoch {epoch}){limit}: the run diverged: '
            'use a smaller --lr or more --warmup-epochs'
        )
