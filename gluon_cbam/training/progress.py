"""How far a run is: what a checkpoint holds beside arrays."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Dict, List, Optional


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
