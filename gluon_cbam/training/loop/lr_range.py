"""The learning-rate range test: a few steps with a rate that grows, to see where the loss falls and where it diverges.

L. N. Smith, "Cyclical Learning Rates for Training Neural Networks", WACV 2017, section 3.3; with the exponential rate,
the smoothing and the suggestions of fastai's ``lr_find``. Nothing but the plot is written.
"""

from __future__ import annotations

import math
from contextlib import closing
from dataclasses import asdict, dataclass
from itertools import count, islice
from pathlib import Path
from typing import Any, Callable, Dict, Generator, Iterable, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from gluon_cbam.common.errors import RunError, UsageError
from gluon_cbam.common.files import PathLike, atomic_path
from gluon_cbam.training.config.train_config import TrainConfig
from gluon_cbam.training.setup import Setup, prepare

from .engine import Engine
from .step import StepResult

SMALLEST, LARGEST, STEPS = 1e-6, 10.0, 100
"""The first and the last learning rate, and the number of steps, by default."""
_SMOOTHING = 0.9  # share of the earlier losses in the moving average
_DIVERGED = 4.0  # times the smallest smoothed loss, where the test ends
_MARGIN = 5  # steps at the end whose slope is not used: the loss diverges there
_BEGINNING = 10  # a tenth of the steps at the beginning is not used: their moving average is of few losses, and noisy
_LEAST = 10  # steps that a suggestion needs
_ONE_PROCESS = ('local', 'device', 'nccl')
Progress = Callable[[Iterable[int], int, str], Iterable[int]]


class Suggestion(NamedTuple):
    """Learning rates to start from.

    Attributes:
        steepest: where the smoothed loss falls fastest over the logarithm of the rate.
        minimum_tenth: a tenth of the rate where the smoothed loss is smallest.
    """

    steepest: float
    minimum_tenth: float


@dataclass(frozen=True)
class LearningRateRange:
    """The results of a range test.

    Attributes:
        suggestion: the suggested learning rate, for ``lr``: the smaller one of ``steepest`` and ``minimum_tenth``.
        steepest: see :class:`Suggestion`.
        minimum_tenth: see :class:`Suggestion`.
        images_per_step: images per step, over all devices, that the rates are for.
        diverged: whether the loss diverged before the largest rate.
        plot: path of the plot.
        learning_rates: the rate of each step.
        losses: the loss of each step, a mean over its images.
        smoothed: the moving average of the losses, see :func:`smoothed`.
    """

    suggestion: float
    steepest: float
    minimum_tenth: float
    images_per_step: int
    diverged: bool
    plot: str
    learning_rates: List[float]
    losses: List[float]
    smoothed: List[float]

    def as_dict(self) -> Dict[str, Any]:
        """The attributes by name, as JSON holds them."""
        return asdict(self)

    def as_text(self) -> str:
        """Human-readable: the suggestion, and the plot."""
        end = f'the loss diverged at {self.learning_rates[-1]:.3g}' if self.diverged else 'the loss did not diverge'
        return (
            f'suggestion: --lr {self.suggestion:.2g} for {self.images_per_step} images per step: the loss falls '
            f'fastest at {self.steepest:.3g}, and a tenth of the rate of its minimum is {self.minimum_tenth:.3g}\n'
            f'{len(self.losses)} steps from {self.learning_rates[0]:.3g}; {end}\nplot: {self.plot}'
        )


def find_learning_rate(
    config: TrainConfig,
    plot: PathLike,
    smallest: float = SMALLEST,
    largest: float = LARGEST,
    steps: int = STEPS,
    progress: Progress = lambda items, total, text: items,
) -> LearningRateRange:
    """Train some steps of a run with a learning rate that grows exponentially, and suggest one.

    Network, data, optimizer and devices are those of the run; its schedule is not used.

    Args:
        config: the settings of the run.
        plot: path of the plot to write, ending in ``.png``.
        smallest: the first learning rate.
        largest: the last learning rate.
        steps: number of steps; fewer are done if the loss diverges.
        progress: wraps the steps for a progress bar; called with (steps, number of steps, text).

    Returns:
        The curve and the suggestion.

    Raises:
        CbamError: see :func:`gluon_cbam.training.loop.trainer.train`.
        UsageError: the range or the plot is not as stated, or the run continues another or has several processes.
        RunError: the loss does not fall anywhere; the plot is written.
    """
    if not 0 < smallest < largest < math.inf or steps < _LEAST:
        raise UsageError(
            f'the learning rates must grow in at least {_LEAST} steps, got {smallest:g} to {largest:g} in {steps}'
        )
    path = Path(plot)
    if path.suffix.lower() != '.png':
        raise UsageError(f'the plot is a .png file, got {str(plot)!r}')
    if config.resume is not None:
        raise UsageError(f'a learning rate is found for a new run: leave out --resume {config.resume}')
    if config.kv_store not in _ONE_PROCESS:
        raise UsageError(f'a learning rate is found in one process: leave out --kv-store {config.kv_store}')
    setup = prepare(config)

    def rate(step: int) -> float:
        return smallest * (largest / smallest) ** (min(step, steps - 1) / (steps - 1))

    rates, losses = _curve(setup, rate, progress(range(steps), steps, 'learning rates'))
    diverged = len(rates) > 0 and rates[-1] < rate(steps - 1)
    average = smoothed(losses)
    found = suggest(rates, average)
    path.parent.mkdir(parents=True, exist_ok=True)
    _draw(path, rates, losses, average, found)
    if found is None:
        raise RunError(
            f'the loss does not fall between the learning rates {smallest:g} and {largest:g}, see {path}: look at the '
            'data, or give other --find-lr-min, --find-lr-max and --find-lr-steps'
        )
    return LearningRateRange(
        min(found), *found, setup.images_per_step, diverged, str(path), rates, losses, average
    )  # fmt: skip


def smoothed(losses: Sequence[float], share: float = _SMOOTHING) -> List[float]:
    """The exponential moving average of losses, without the bias to 0 of its beginning.

    Args:
        losses: the losses.
        share: the share of the earlier losses, 0..1.

    Returns:
        For each loss the weighted mean of it and those before, with the weights ``share ** age``.
    """
    average, values = 0.0, []
    for number, loss in enumerate(losses, 1):
        average = share * average + (1 - share) * loss
        values.append(average / (1 - share**number))
    return values


def suggest(rates: Sequence[float], average: Sequence[float]) -> Optional[Suggestion]:
    """Suggest learning rates from a curve.

    Args:
        rates: learning rates, evenly spaced on a logarithmic scale.
        average: the smoothed loss of each.

    Returns:
        The suggestion; None if the loss does not fall, or there are too few steps.
    """
    if len(rates) < _LEAST:
        return None
    first = len(average) // _BEGINNING
    lowest = first + int(np.argmin(average[first:]))
    slopes = np.gradient(np.asarray(average))[first : min(lowest, len(average) - _MARGIN)]
    if not len(slopes) or slopes.min() >= 0:
        return None
    return Suggestion(float(rates[first + int(np.argmin(slopes))]), float(rates[lowest]) / 10)


def _curve(setup: Setup, rate: Callable[[int], float], numbers: Iterable[int]) -> Tuple[List[float], List[float]]:
    """The rates and losses of steps, until the loss diverges; steps that overflow in float16 are left out."""
    engine = Engine(setup, rate)
    rates: List[float] = []
    losses: List[float] = []
    with closing(_steps(setup)) as batches:
        for number, step in zip(numbers, batches):
            try:
                result = engine.step(step, number)
            except RunError:  # gradients in float16 that no scale makes finite
                break
            if not result.updated:
                continue
            loss = _loss(result, setup.images_per_step)
            if not math.isfinite(loss):
                break
            rates.append(rate(number))
            losses.append(loss)
            average = smoothed(losses)
            if average[-1] > _DIVERGED * min(average):
                break
    return rates, losses


def _steps(setup: Setup) -> Generator[List[Any], None, None]:
    """Batches of steps without end, epoch after epoch."""
    for epoch in count():
        with closing(setup.data.epoch(epoch)) as batches:
            for _ in range(setup.steps_per_epoch):
                yield list(islice(batches, setup.config.accumulate))


def _loss(result: StepResult, images: int) -> float:
    return sum(float(loss.sum().asscalar()) for loss in result.sums[0]) / images


def _draw(
    path: Path, rates: List[float], losses: List[float], average: List[float], found: Optional[Suggestion]
) -> None:
    """Draw the losses over the rates, and the suggestions."""
    from matplotlib.figure import Figure

    canvas = Figure(figsize=(6.4, 4), dpi=120, layout='constrained')
    axes = canvas.subplots()
    axes.plot(rates, losses, color='#9ecae1', linewidth=1, label='loss of a step')
    axes.plot(rates, average, color='#2171b5', label='smoothed')
    if found:
        axes.axvline(found.steepest, color='#d94801', linestyle='--', label=f'falls fastest: {found.steepest:.2g}')
        axes.axvline(
            found.minimum_tenth, color='#238b45', linestyle=':', label=f'minimum / 10: {found.minimum_tenth:.2g}'
        )
    if average:
        low, high = min(losses), max(average[0], min(average))  # without the top, where the loss diverges
        axes.set_ylim(low - 0.1 * (high - low) - 1e-3, high + 0.5 * (high - low) + 1e-3)
    axes.set_xscale('log')
    axes.set_xlabel('learning rate')
    axes.set_ylabel('loss')
    axes.grid(alpha=0.3)
    axes.legend()
    with atomic_path(path) as temporary:
        canvas.savefig(str(temporary), format='png')
