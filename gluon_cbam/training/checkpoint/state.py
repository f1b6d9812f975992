"""The training state: the progress of a run, which checkpoints save next to the arrays."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Dict, List, Optional

from gluon_cbam.tasks.base import Task
from gluon_cbam.tasks.figures import Figure

if TYPE_CHECKING:
    import numpy as np


@dataclass
class TrainingState:
    """The progress of a run. Every value is one that JSON can hold.

    Attributes:
        images_per_step: images per step, over all devices.
        epoch: the current epoch, from 0.
        batch: steps done in the current epoch.
        step: steps done in all epochs.
        seconds: the time that they took in seconds, over all sessions.
        best: ``epoch`` (from 1, that in which it was or after which), ``step`` and the task's deciding figure of the
            best validation.
        last: the figures of the last validation, or of training without validation data.
        sums: the sums of the current epoch: the task's statistics, then the number of images.
        bad_records: numbers of the training records that were skipped because they are damaged.
        unreported: the statistics of each step since the last record of the metrics.
        kept: the best validations, best first: ``epoch``, ``step``, the figures of the evaluation, ``records``.
        stale: epochs since the one of the best validation.
        validation_step: the step of the last validation within an epoch.
    """

    images_per_step: int
    epoch: int = 0
    batch: int = 0
    step: int = 0
    seconds: float = 0.0
    best: Optional[Dict[str, Any]] = None
    last: Dict[str, Optional[float]] = field(default_factory=dict)
    sums: List[float] = field(default_factory=list)
    bad_records: List[int] = field(default_factory=list)
    unreported: List[List[float]] = field(default_factory=list)
    kept: List[Dict[str, Any]] = field(default_factory=list)
    stale: int = 0
    validation_step: int = 0

    @classmethod
    def begin(cls, images_per_step: int, task: Task) -> TrainingState:
        """The state of a run before its first step."""
        last: Dict[str, Optional[float]] = dict.fromkeys(task.final_names)
        return cls(images_per_step, last=last, sums=[0.0] * (1 + len(task.training_figures)))

    def __post_init__(self) -> None:
        """Add the steps of the best validations, which states of former versions lack: all were after an epoch."""
        for each in (*self.kept, *([self.best] if self.best else [])):
            if 'step' not in each:
                each['step'] = each['epoch'] * (self.step - self.batch) // self.epoch

    @property
    def running_epoch(self) -> int:
        """The epoch of the last step, from 1."""
        return self.epoch + (self.batch > 0)

    def knows(self, record: Dict[str, Any]) -> bool:
        """Whether a line of ``metrics.jsonl`` belongs to what was done before this state."""
        if record['kind'] == 'epoch':
            return record['epoch'] <= self.epoch
        return record['step'] <= (self.validation_step if record['kind'] == 'validation' else self.step)

    def add(self, sums: np.ndarray) -> None:
        """Add the statistics of steps, one by one, so that the sums do not depend on when this is called.

        Args:
            sums: (statistics, steps) float64: the statistics of each step, summed over its images.
        """
        for step in zip(*sums):
            self.sums = [a + b for a, b in zip(self.sums, (*step, self.images_per_step))]
            self.unreported.append(list(step))

    def reset_sums(self) -> None:
        """Begin the sums of another epoch."""
        self.sums = [0.0] * len(self.sums)

    def validated(self, figures: Dict[str, Any], best: Figure, keep: int) -> None:
        """Record a validation; of equal ones, the earlier is the better.

        Args:
            figures: see ``kept``.
            best: the figure that decides.
            keep: how many of the best to keep.
        """
        ranked = sorted([*self.kept, figures], key=lambda each: (best.sort_key(each[best.name]), each['step']))
        self.kept = ranked[:keep]
        self.best = {name: self.kept[0][name] for name in ('epoch', 'step', best.name)}
        self.stale = max(self.epoch - self.best['epoch'], 0)
