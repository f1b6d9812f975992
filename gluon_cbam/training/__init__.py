"""Training: settings, optimizers, parameters, processes, checkpoints, logs and the loop.

:mod:`.config` has the settings and merges their sources; :mod:`.distributed` connects processes; :mod:`.parameters`
selects, freezes, initializes and averages parameters; :mod:`.optim` updates them; :mod:`.teacher` loads
the teacher of a run; :mod:`.setup` prepares a run; :mod:`.checkpoint` saves and restores runs; :mod:`.logging` records
them; :mod:`.loop` trains. Each may import those before it, and ``export``, ``inference``, ``tasks``, ``pretrained``,
``weights``, ``models``, ``data``, ``compat`` and ``common``.

Importing :class:`TrainConfig` imports neither mxnet nor numpy, so that the command line can be made from it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, Optional

from .config.task_settings import make_config
from .config.train_config import TrainConfig

if TYPE_CHECKING:
    from .config.resolution import ResolvedSettings
    from .logging.reporter import Display

__all__ = ['TrainConfig', 'make_config', 'resolve', 'train']


def train(config: TrainConfig, progress: Optional[Display] = None) -> Dict[str, Any]:
    """Train a network: see :func:`gluon_cbam.training.loop.trainer.train`.

    Args:
        config: the settings.
        progress: wraps the steps of an epoch, to show the progress; default none.

    Returns:
        The summary of the run, as ``summary.json`` has it.
    """
    from .loop.trainer import train as run

    return run(config, progress)


def resolve(given: Dict[str, Any], config_file: Optional[str] = None) -> ResolvedSettings:
    """Merge the settings of a run from their sources: see :func:`gluon_cbam.training.config.resolution.resolve`.

    Args:
        given: settings by name, as on the command line.
        config_file: path of a YAML or JSON file with further settings; default none.

    Returns:
        Every setting, and the source of its value.
    """
    from .config.resolution import resolve as merge

    return merge(given, config_file)
