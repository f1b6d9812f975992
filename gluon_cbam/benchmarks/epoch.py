"""Epochs of ``cbam train`` one at a time: reading, figures, log and the saved state included."""

from __future__ import annotations

import tempfile
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import Iterable, Iterator, List

import mxnet as mx

from gluon_cbam.data.records.recordio import RecordFile
from gluon_cbam.training import TrainConfig, train

from .context import Spec
from .ours import training_config
from .timing import Subject

_MANY = 10_000  # epochs of the run, which is stopped after those that are measured


@contextmanager
def on_records(spec: Spec) -> Iterator[Subject]:
    """An epoch of a run on a file, from the end of the one before to its own end."""
    images = len(RecordFile(spec.data)) // spec.batch * spec.batch
    with tempfile.TemporaryDirectory(prefix='cbam-bench-') as folder:
        config = training_config(spec, data_train=spec.data, output=str(Path(folder) / 'run'), epochs=_MANY)
        with PacedRun(config) as run:
            yield Subject(images, run.epoch, mx.nd.waitall, 'cpu(0)')


class _Enough(Exception):
    """Ends a run between two epochs."""


class PacedRun:
    """A training run that waits before each epoch until it is told to go on.

    It trains in a thread. As a context manager, it is ready to train when the block begins, and stopped at its end.

    Args:
        config: of the run.
    """

    def __init__(self, config: TrainConfig):
        self._go, self._stands = threading.Semaphore(0), threading.Semaphore(0)
        self._over = False
        self._errors: List[BaseException] = []
        self._thread = threading.Thread(target=self._train, args=(config,), name='paced run')

    def __enter__(self) -> PacedRun:
        self._thread.start()
        self._until_it_stands()
        return self

    def epoch(self) -> None:
        """Train an epoch."""
        self._go.release()
        self._until_it_stands()

    def _until_it_stands(self) -> None:
        self._stands.acquire()
        if self._errors:
            raise self._errors[0]

    def _train(self, config: TrainConfig) -> None:
        try:
            train(config, progress=self._before_an_epoch)
        except _Enough:
            pass
        except BaseException as error:
            self._errors.append(error)
            self._stands.release()

    def _before_an_epoch(self, batches: Iterable, total: int, text: str) -> Iterable:
        self._stands.release()
        self._go.acquire()
        if self._over:
            raise _Enough
        return batches

    def __exit__(self, *error):
        self._over = True
        self._go.release()
        self._thread.join()
