"""Events for TensorBoard, by tensorboardX."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Dict

# kind of a line of metrics.jsonl -> its values, and their names in TensorBoard
_TAGS = {
    'interval': {
        'loss': 'train/loss',
        'top1': 'train/top1',
        'lr': 'lr',
        'images_per_second': 'speed/images_per_second',
        'data_wait': 'speed/data_wait',
    },
    'epoch': {'val_loss': 'val/loss', 'val_top1': 'val/top1', 'val_top5': 'val/top5'},
}


class Events:
    """Writes the lines of ``metrics.jsonl`` as scalars.

    Args:
        folder: of the event files; made if it does not exist.
        step: that the run begins after; what an earlier session wrote of later steps is hidden by TensorBoard.
    """

    def __init__(self, folder: Path, step: int):
        from tensorboardX import SummaryWriter

        purge_step = step + 1 if folder.exists() else None
        # tensorboardX names a file by the second, and would write over that of a session which began in the same one
        self._writer = SummaryWriter(str(folder), purge_step=purge_step, filename_suffix=f'.{time.time_ns()}')

    def add(self, record: Dict[str, Any]) -> None:
        """Write a line of ``metrics.jsonl``."""
        for name, tag in _TAGS[record['kind']].items():
            if record.get(name) is not None:
                self._writer.add_scalar(tag, record[name], record['step'])
        if record['kind'] == 'epoch':
            self._writer.flush()

    def close(self) -> None:
        """Write what is not written yet."""
        self._writer.close()
