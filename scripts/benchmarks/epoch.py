"""The workload of one epoch of ``cbam train``, including reading, metrics, log and checkpoints."""

from __future__ import annotations

import tempfile
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import Iterable, Iterator, List

import mxnet as mx

from gluon_cbam.benchmarks.cbam_workloads import training_config
from gluon_cbam.benchmarks.context import BenchmarkContext
from gluon_cbam.benchmarks.workload import Workload
from gluon_cbam.data.records.recordio import RecordFile
from gluon_cbam.training import TrainConfig, train

_EPOCHS = 10_000  # more than are measured; the run is stopped earlier


@contextmanager
def on_records(context: BenchmarkContext) -> Iterator[Workload]:
    """An epoch of a run on a file, from the end of the previous epoch to its end."""
    images = len(RecordFile(context.record_path)) // context.batch * context.batch
    with tempfile.TemporaryDirectory(prefix='cbam-bench-') as folder:
        config = training_config(context, data_train=context.data, output=str(Path(folder) / 'run'), epochs=_EPOCHS)
        with PacedRun(config) as run:
            yield Workload(images, run.epoch, mx.nd.waitall, 'cpu(0)')


class _Stop(Exception):
    """Raised between two epochs to stop the run."""


class PacedRun:
    """A training run that waits before each epoch for a call of :meth:`epoch`.

    It trains in a thread. As a context manager, it is ready to train when the block begins, and stopped at its end.

    Args:
        config: configuration of the run.
    """

    def __init__(self, config: TrainConfig):
        self._go, self._waiting = threading.Semaphore(0), threading.Semaphore(0)
        self._stopped = False
        self._errors: List[BaseException] = []
        self._thread = threading.Thread(target=self._train, args=(config,), name='paced run')

    def __enter__(self) -> PacedRun:
        self._thread.start()
        self._wait()
        return self

    def epoch(self) -> None:
        """Train an epoch."""
        self._go.release()
        self._wait()

    def _wait(self) -> None:
        self._waiting.acquire()
        if self._errors:
            raise self._errors[0]

    def _train(self, config: TrainConfig) -> None:
        try:
            train(config, progress=self._before_an_epoch)
        except _Stop:
            pass
        except BaseException as error:
            self._errors.append(error)
            self._waiting.release()

    def _before_an_epoch(self, batches: Iterable, total: int, text: str) -> Iterable:
        self._waiting.release()
        self._go.acquire()
        if self._stopped:
            raise _Stop
        return batches

    def __exit__(self, *error):
        self._stopped = True
        self._go.release()
        self._thread.join()
