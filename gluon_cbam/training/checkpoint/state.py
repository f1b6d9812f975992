"""How far a run is: what a checkpoint holds beside arrays."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Dict, Iterable, List, Optional


@dataclass
class Progress:
    """How far a run is.

    Attributes:
        images_per_step: over all devices.
        epoch: that is under way, from 0.
        batch: steps done in it.
        step: steps done in all.
        seconds: that they took, over all sessions.
        best: ``epoch`` (from 1) and ``top1`` of the best validation.
        last: ``top1`` and ``loss`` of the last validation, or of training without validation data.
        sums: loss, hits and images of the epoch under way.
        bad_records: numbers of the training records that were skipped because they are damaged.
        unreported: (loss, hits) of each step since the last record of the metrics.
        kept: figures of the best validations, best first: ``epoch``, ``top1``, ``top5``, ``loss``, ``records``.
        stale: epochs since the best.
    """

    images_per_step: int
    epoch: int = 0
    batch: int = 0
    step: int = 0
    seconds: float = 0.0
    best: Optional[Dict[str, Any]] = None
    last: Dict[str, Optional[float]] = field(default_factory=lambda: {'top1': None, 'loss': None})
    sums: List[float] = field(default_factory=lambda: [0.0, 0.0, 0.0])
    bad_records: List[int] = field(default_factory=list)
    unreported: List[List[float]] = field(default_factory=list)
    kept: List[Dict[str, Any]] = field(default_factory=list)
    stale: int = 0

    def add(self, losses: Iterable[float], hits: Iterable[float]) -> None:
        """Count steps, one after the other: where they are divided then makes no difference to the sums.

        Args:
            losses: of each step, summed over its images.
            hits: of each step.
        """
        for loss, hit in zip(losses, hits):
            self.sums = [a + b for a, b in zip(self.sums, (loss, hit, self.images_per_step))]
            self.unreported.append([loss, hit])

    def validated(self, figures: Dict[str, Any], keep: int) -> None:
        """Count the validation of an epoch; of equal ones, the earlier is the better.

        Args:
            figures: as ``kept`` has them.
            keep: how many of the best to keep.
        """
        self.kept = sorted([*self.kept, figures], key=lambda each: (-each['top1'], each['epoch']))[:keep]
        self.best = {name: self.kept[0][name] for name in ('epoch', 'top1')}
        self.stale = self.epoch - self.best['epoch']
