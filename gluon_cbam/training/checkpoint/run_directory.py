"""The run directory: configuration, environment, metrics, log, curves, checkpoints, summary.

:mod:`gluon_cbam.training.config.saved_run` reads one.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import platform
import sys
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, Callable, ContextManager, Dict, Iterator, List, Optional

import yaml

from gluon_cbam.common.errors import UsageError
from gluon_cbam.common.files import PathLike, append_line, remove_temporaries, write_text
from gluon_cbam.common.printable import printable
from gluon_cbam.compat import versions
from gluon_cbam.training.config.saved_run import holds_run, no_run_to_resume, read_config, read_metrics, run_path
from gluon_cbam.training.config.train_config import TrainConfig

from .state import TrainingState

_log = logging.getLogger('gluon_cbam.training')
DrawCurves = Callable[[List[Dict[str, Any]], Path], None]
_PACKAGES = ('mxnet', 'mxnet-cu117', 'gluoncv', 'numpy', 'opencv-python', 'opencv-python-headless')
_VARIABLES = ('OMP_NUM_THREADS', 'MXNET_', 'DMLC_', 'KMP_', 'CUDA_VISIBLE_DEVICES')


class RunDirectory:
    """The directory with the files of a run.

    Args:
        path: the path of the folder; made if it does not exist.
    """

    _log_name = 'train.log'

    def __init__(self, path: PathLike) -> None:
        self.path = Path(path)
        from .files import Checkpoints  # imports mxnet, which reading a run does not need

        self.path.mkdir(parents=True, exist_ok=True)
        self.checkpoints = Checkpoints(self.path / 'checkpoints')

    def locked(self) -> ContextManager[None]:
        """Prevent other processes from training in the directory, for instance one that a scheduler started again.

        The lock is released when the process ends, even by a crash.

        Raises:
            UsageError: another process trains in it.
        """
        return _locked(self.path)

    def clean(self) -> None:
        """Remove files that a crash left incomplete; call it while holding the lock."""
        remove_temporaries(self.path)
        self.checkpoints.clean()

    def write_config(self, config: TrainConfig) -> None:
        """Write ``config.yaml`` and ``environment.json``, and log the settings that changed in a resumed run."""
        changed = config.differences(read_config(self.path), immutable=False) if holds_run(self.path) else None
        if changed:
            _log.info('changed since: %s', ', '.join(changed))
        text = yaml.safe_dump(config.as_file(), sort_keys=False)
        write_text(self.path / 'config.yaml', text)
        write_text(self.path / 'environment.json', json.dumps(environment(), indent=1) + '\n')

    def add_metrics(self, record: Dict[str, Any]) -> None:
        """Append a line to ``metrics.jsonl``; see :func:`gluon_cbam.common.files.append_line`."""
        append_line(self.path / 'metrics.jsonl', json.dumps(record))

    def metrics(self) -> List[Dict[str, Any]]:
        """The lines of ``metrics.jsonl``: see :func:`read_metrics`."""
        return read_metrics(self.path)

    def forget_after(self, state: TrainingState) -> None:
        """Remove the metrics after a state: a resumed run writes them again."""
        kept = [record for record in self.metrics() if state.knows(record)]
        write_text(self.path / 'metrics.jsonl', ''.join(json.dumps(record) + '\n' for record in kept))

    def write_summary(self, summary: Dict[str, Any], draw: DrawCurves) -> None:
        """Write ``summary.json`` and ``curves.png``.

        Args:
            summary: the summary of the run.
            draw: draws the curves of the metrics to a path.
        """
        write_text(self.path / 'summary.json', json.dumps(summary, indent=1) + '\n')
        draw(self.metrics(), self.path / 'curves.png')

    @contextmanager
    def logging_to_file(self, logger: logging.Logger) -> Iterator[None]:
        """Append every record of ``logger`` to ``train.log``, whatever its own level is."""
        handler = _LogFile(self.path / self._log_name)
        handler.setFormatter(_PrintableFormatter('%(asctime)s %(message)s'))
        level = logger.level
        logger.addHandler(handler)
        logger.setLevel(logging.DEBUG)
        try:
            yield
        finally:
            logger.setLevel(level)
            logger.removeHandler(handler)


class _PrintableFormatter(logging.Formatter):
    """Writes what is not printable, such as bytes of a path that are not UTF-8, as escapes."""

    def format(self, record: logging.LogRecord) -> str:
        return printable(super().format(record), keep='\n\t')


class _LogFile(logging.Handler):
    """Appends log lines to a file by one write each.

    An error of the disk is raised where the line was logged, and ends the run; logging.FileHandler prints a traceback
    and goes on.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def emit(self, record: logging.LogRecord) -> None:
        append_line(self._path, self.format(record))


class ReadOnlyRunDirectory(RunDirectory):
    """The run directory for the processes other than the first, which only read it and write their own log.

    Args:
        path: the path of the folder.
        rank: the rank of the process.
    """

    def __init__(self, path: PathLike, rank: int) -> None:
        from .files import ReadOnlyCheckpoints

        super().__init__(path)
        self.checkpoints = ReadOnlyCheckpoints(self.path / 'checkpoints')
        self._log_name = f'train.worker{rank}.log'

    def locked(self) -> ContextManager[None]:
        """Lock nothing."""
        return nullcontext()

    def clean(self) -> None:
        """Do nothing."""

    def write_config(self, config: TrainConfig) -> None:
        """Do nothing."""

    def add_metrics(self, record: Dict[str, Any]) -> None:
        """Do nothing."""

    def forget_after(self, state: TrainingState) -> None:
        """Do nothing."""

    def write_summary(self, summary: Dict[str, Any], draw: DrawCurves) -> None:
        """Do nothing."""


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """An advisory lock on a directory; see :meth:`RunDirectory.locked`."""
    import fcntl  # here: Windows has none, and the command there should name mxnet as missing

    descriptor = os.open(str(path), os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EAGAIN):  # otherwise the file system does not support locks
            os.close(descriptor)
            raise UsageError(f'another process trains in {str(path)!r}: end it, or give another --output') from None
    try:
        yield
    finally:
        os.close(descriptor)


def check_run_directory(config: TrainConfig) -> Path:
    """The path of the run directory of a configuration; nothing is made.

    Raises:
        UsageError: it holds a run and ``resume`` is not set; or there is nothing to resume; or a setting that is
            immutable on resume differs from the run to resume.
        DataError: the run to resume is damaged.
    """
    path = run_path(config.resume, config.output, config.network)
    if path is None:
        raise UsageError('--network is needed')
    there = holds_run(path)
    if config.resume not in (None, 'auto'):
        if not there:
            raise UsageError(no_run_to_resume(config.resume))
        if config.output and Path(config.output).resolve() != path.resolve():
            raise UsageError(
                f'--resume {config.resume} continues in its own folder: leave out --output {config.output}'
            )
    if there and config.resume is None:
        raise UsageError(f'{str(path)!r} holds a run: continue it with --resume auto, or give another --output')
    changed = config.differences(read_config(path)) if there else []
    if changed:
        raise UsageError(f'the run in {str(path)!r} was started otherwise: {", ".join(changed)}')
    return path


def open_run_directory(config: TrainConfig, rank: int = 0) -> RunDirectory:
    """The run directory of a configuration, made if it does not exist; errors: see :func:`check_run_directory`.

    Args:
        config: the configuration of the run.
        rank: the rank of this process; all but the first only read.
    """
    path = check_run_directory(config)
    return ReadOnlyRunDirectory(path, rank) if rank else RunDirectory(path)


def environment() -> Dict[str, Any]:
    """The environment of a run: versions, threads, machine."""
    return {
        'command': sys.argv,
        'python': platform.python_version(),
        'platform': platform.platform(),
        'processor': _processor(),
        'cpus': os.cpu_count(),
        'packages': {name: versions.installed(name) for name in _PACKAGES if versions.installed(name)},
        'variables': {name: value for name, value in sorted(os.environ.items()) if name.startswith(_VARIABLES)},
    }


def _processor() -> Optional[str]:
    try:
        lines = Path('/proc/cpuinfo').read_text(encoding='utf-8').splitlines()
    except OSError:
        return platform.processor() or None
    return next((line.partition(':')[2].strip() for line in lines if line.startswith('model name')), None)
