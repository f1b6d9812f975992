"""Temperature scaling: one number by which the logits are divided, so that probabilities agree with accuracies.

Guo, Pleiss, Sun and Weinberger, On Calibration of Modern Neural Networks, ICML 2017 (arXiv 1706.04599), section 4.2.
The class that is predicted does not change.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Dict, Iterator, List, Sequence, Tuple

import numpy as np

from gluon_cbam.common.errors import RunError
from gluon_cbam.tasks.protocols import Start

from .metrics import Calibration
from .outcomes import Outcomes, outcome_rows, outcomes_of
from .settings import TEMPERATURES

_ROWS = 4096  # records whose probabilities are in memory at once
_STEPS, _PRECISION = 100, 1e-10  # of Newton's method: at most, and the relative change at which it ends


@dataclass(frozen=True)
class FittedTemperature:
    """A temperature and what it changes on the records that it was fitted on.

    Attributes:
        temperature: the temperature with the smallest loss.
        records: their number.
        loss: the mean negative log-likelihood in nats at a temperature of 1, and at the fitted one.
        ece: the expected calibration error at both, see :class:`.metrics.Calibration`.
    """

    temperature: float
    records: int
    loss: Tuple[float, float]
    ece: Tuple[float, float]

    @classmethod
    def of(cls, logits: np.ndarray, labels: np.ndarray) -> FittedTemperature:
        """Fit a temperature, see :func:`fit_temperature`."""
        temperature = fit_temperature(logits, labels)
        found = [_outcomes(logits, labels, each) for each in (1.0, temperature)]
        losses, errors = (
            (figure(found[0]), figure(found[1]))
            for figure in (lambda each: float(each.losses.mean()), lambda each: Calibration.of(each).ece)
        )
        return cls(temperature, len(labels), losses, errors)

    def as_dict(self) -> Dict[str, Any]:
        """The figures for JSON, each ``before`` and ``after``."""
        before_and_after = {
            name: dict(zip(('before', 'after'), values)) for name, values in (('nll', self.loss), ('ece', self.ece))
        }
        return {'temperature': self.temperature, 'records': self.records, **before_and_after}


def fit_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """The temperature with the smallest mean negative log-likelihood.

    The loss is convex in 1 / T; its derivative is brought to zero by Newton's method, within a bracket.

    Args:
        logits: (N, K), finite.
        labels: the true classes, (N,) int64.

    Raises:
        RunError: no temperature within :data:`.settings.TEMPERATURES` has the smallest loss, for instance since all
            records are recognized, or the network does no better than chance.
    """
    least, most = TEMPERATURES
    low, high = 1 / most, 1 / least
    for inverse, sign in ((low, 1), (high, -1)):
        if sign * _derivatives(logits, labels, inverse)[0] >= 0:
            raise RunError(
                f'no temperature from {least:g} to {most:g} fits these {len(labels)} records: the loss falls up to '
                f'{1 / inverse:g}: give more records, which the network was not trained on'
            )
    inverse = 1.0
    for _ in range(_STEPS):
        slope, curvature = _derivatives(logits, labels, inverse)
        low, high = (low, inverse) if slope > 0 else (inverse, high)
        step = inverse - slope / curvature if curvature else low  # out of the bracket
        following = step if low < step < high else float(np.sqrt(low * high))
        if abs(following - inverse) <= _PRECISION * inverse:
            return 1 / following
        inverse = following
    return 1 / inverse


def _derivatives(logits: np.ndarray, labels: np.ndarray, inverse: float) -> Tuple[float, float]:
    """The first and second derivative of the mean loss in 1 / T: means of E[z] - z of the label, and of Var[z]."""
    slope = curvature = 0.0
    for part, own in _parts(logits, labels):
        rows = part - part.max(axis=1, keepdims=True)
        shares = np.exp(inverse * rows)
        shares /= shares.sum(axis=1, keepdims=True)
        mean = np.einsum('ij,ij->i', shares, rows)
        slope += float((mean - rows[np.arange(len(own)), own]).sum())
        curvature += float(np.einsum('ij,ij->', shares, (rows - mean[:, None]) ** 2))
    return slope / len(labels), curvature / len(labels)


def _outcomes(logits: np.ndarray, labels: np.ndarray, temperature: float) -> Outcomes:
    """The outcomes at a temperature."""
    rows = [
        outcome_rows(np.zeros(len(own)), part / temperature, own) for part, own in _parts(logits, labels)
    ]  # fmt: skip
    return outcomes_of(np.concatenate(rows), labels)


def _parts(logits: np.ndarray, labels: np.ndarray) -> Iterator[Tuple[np.ndarray, np.ndarray]]:
    """Some rows after the other in float64, with their labels."""
    for first in range(0, len(labels), _ROWS):
        part = slice(first, first + _ROWS)
        yield logits[part].astype(np.float64), labels[part]


def scaled(start: Start, temperature: float) -> Start:
    """A network whose first output, the logits, is divided by a temperature.

    Args:
        start: starts the network on a batch.
        temperature: T, above 0.
    """

    def started(images: np.ndarray) -> Callable[[], Sequence[np.ndarray]]:
        wait = start(images)

        def ready() -> List[np.ndarray]:
            logits, *others = wait()
            return [logits.astype(np.float64) / temperature, *others]

        return ready

    return started
