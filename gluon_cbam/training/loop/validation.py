"""Validation while a run trains: after each epoch, and with ``val_interval`` also within it.

Before a validation, BatchNorm's running statistics are set to their mean over devices and processes. Training does not
read them, so that a validation within an epoch changes no weight; with several devices, it changes the last bits of the
statistics, in a resumed run as in an unbroken one.
"""

from __future__ import annotations

from typing import Callable, Iterable, Iterator

from gluon_cbam.tasks.evaluation import evaluate
from gluon_cbam.tasks.figures import Evaluation
from gluon_cbam.training.checkpoint.manager import CheckpointManager
from gluon_cbam.training.checkpoint.state import TrainingState
from gluon_cbam.training.logging.reporter import Reporter
from gluon_cbam.training.setup import Setup

from .engine import Engine


class Validation:
    """The validations of a run.

    Args:
        setup: the setup of the run.
        engine: has the network.
        state: the state of the run.
        report: reports each validation.
        checkpoints: saves the state after each, and the parameters of the best.
        handle_signals: called between batches; what it saves has the validation before it.
    """

    def __init__(
        self,
        setup: Setup,
        engine: Engine,
        state: TrainingState,
        report: Reporter,
        checkpoints: CheckpointManager,
        handle_signals: Callable[[], None],
    ) -> None:
        self._setup, self._engine, self._state = setup, engine, state
        self._report, self._checkpoints, self._handle_signals = report, checkpoints, handle_signals

    @property
    def due(self) -> bool:
        """Whether to validate at the current step, within the epoch; that of its last step comes after the epoch."""
        state, interval = self._state, self._setup.config.val_interval
        if not interval or self._setup.val is None or not 0 < state.batch < self._setup.steps_per_epoch:
            return False
        return state.step % interval == 0 and state.validation_step != state.step

    def within_epoch(self) -> None:
        """Validate at the current step; the state that is saved after it has the validation behind it."""
        with self._report.pause():
            evaluation = self._evaluate()
            self._state.validation_step = self._state.step
            self._report.validation(evaluation, self._engine.optimization.rate)
            self._checkpoints.validated(evaluation, self._engine.validated_net)

    def after_epoch(self) -> None:
        """End the epoch: validate if there are data, report, and save the state."""
        state = self._state
        if self._setup.val is None:
            self._engine.synchronize()  # a checkpoint has the mean over all processes, whether or not it was validated
        evaluation = self._evaluate() if self._setup.val is not None else None
        state.epoch, state.batch = state.epoch + 1, 0
        self._report.epoch(evaluation, self._engine.optimization.rate)
        state.reset_sums()
        self._checkpoints.validated(evaluation, self._engine.validated_net)

    def _evaluate(self) -> Evaluation:
        setup, config = self._setup, self._setup.config
        self._engine.synchronize()
        return evaluate(
            setup.task, self._engine.validated_net, setup.val, setup.preprocessing, setup.ctx, config.batch_size,
            config.workers, self._interruptible, setup.process_group,
        )  # fmt: skip

    def _interruptible(self, batches: Iterable, total: int) -> Iterator:
        for batch in batches:
            # several processes have different numbers of batches, and agree after the validation
            if self._setup.process_group.size == 1:
                self._handle_signals()
            yield batch
