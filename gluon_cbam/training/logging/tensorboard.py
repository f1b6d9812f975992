"""Events for TensorBoard, by tensorboardX."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Dict

from gluon_cbam.common.errors import TransferError
from gluon_cbam.common.files import disk_errors
from gluon_cbam.tasks.base import Task
from gluon_cbam.training.config.saved_run import VALIDATED

_QUEUE = 1000  # events; far more than an interval has
_TAGS = {'lr': 'lr', 'images_per_second': 'speed/images_per_second', 'data_wait': 'speed/data_wait'}


class Events:
    """Writes the lines of ``metrics.jsonl`` as scalars.

    Args:
        folder: the directory of the event files; made if it does not exist.
        step: the step after which the run begins; TensorBoard hides the
            events of later steps from an earlier session.
        task: the task whose figures are written, as ``train/NAME`` and ``val/NAME``.
    """

    def __init__(self, folder: Path, step: int, task: Task) -> None:
        from tensorboardX import SummaryWriter

        purge_step = step + 1 if folder.exists() else None
        # tensorboardX names files by the second: without the suffix, a session could overwrite the file of another
        suffix = f'.{time.time_ns()}'
        self._writer = SummaryWriter(str(folder), purge_step=purge_step, filename_suffix=suffix, max_queue=_QUEUE)
        self._folder = folder
        self._interval_tags = {**{figure.name: f'train/{figure.name}' for figure in task.training_figures}, **_TAGS}

    def add(self, record: Dict[str, Any]) -> None:
        """Write a line of ``metrics.jsonl``.

        Raises:
            TransferError: the disk is full.
        """
        # the thread that writes ends at an error, after which its queue would fill and adding to it would wait forever
        if not self._writer.file_writer.event_writer._worker.is_alive():
            raise TransferError(f'{self._folder}: the events were not written: is the disk full?')
        for name, tag in self._tags(record).items():
            if record.get(name) is not None:
                self._writer.add_scalar(tag, record[name], record['step'])
        if record['kind'] in VALIDATED:
            with disk_errors(self._folder):
                self._writer.flush()

    def _tags(self, record: Dict[str, Any]) -> Dict[str, str]:
        """Names of values -> their tags."""
        if record['kind'] == 'interval':
            return self._interval_tags
        return {name: f'val/{name[4:]}' for name in record if name.startswith('val_')}

    def close(self) -> None:
        """Write the events that are still in memory."""
        with disk_errors(self._folder):
            self._writer.close()
