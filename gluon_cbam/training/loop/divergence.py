"""Detection of a run that has diverged, by the loss of its steps."""

from __future__ import annotations

from typing import Callable, Optional, Sequence

import numpy as np

from gluon_cbam.common.errors import RunError
from gluon_cbam.tasks import Task

_NAMED = 16  # records in a message
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

    def __call__(
        self, losses: np.ndarray, steps: Sequence[int], epoch: int, about: Optional[Callable[[int], str]] = None
    ) -> None:
        """Check the losses of some steps.

        Args:
            losses: mean loss of each step.
            steps: their numbers, from 1.
            epoch: number of their epoch, from 1.
            about: function from the index of a step among these to what else is known of it.

        Raises:
            RunError: the loss of a step is not finite, or too large.
        """
        if self._limit is None:
            self._limit = max(self._largest, _FACTOR * float(losses[0]) if np.isfinite(losses[0]) else 0.0)
        bad = np.flatnonzero(~(np.abs(losses) <= self._limit))
        if not len(bad):
            return
        first = int(bad[0])
        loss, more = losses[first], about(first) if about else ''
        limit = f', more than {self._limit:.3g}' if np.isfinite(loss) else ''
        raise RunError(
            f'the loss is {loss:g} at step {steps[first]} (epoch {epoch}){limit}{more}: the run diverged: '
            'use a smaller --lr or more --warmup-epochs'
        )


def about_step(task: Task, means: Sequence[float], path: str, numbers: Sequence[int]) -> str:
    """What is known of a step whose loss is wrong, for a message.

    Args:
        task: the task.
        means: the mean of each of its training figures in the step, the loss first.
        path: the file of the records.
        numbers: the records of the step.

    Returns:
        The other figures that are not finite, as terms of the loss may be, and the records.
    """
    wrong = [figure.text(mean) for figure, mean in zip(task.training_figures[1:], means[1:]) if not np.isfinite(mean)]
    shown = ', '.join(map(str, numbers[:_NAMED])) + (', ...' if len(numbers) > _NAMED else '')
    terms = f' ({", ".join(wrong)})' if wrong else ''
    return f'{terms}, of records {shown} of {path}'
