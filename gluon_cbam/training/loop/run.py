"""``gluon_cbam.train``: a run from settings of any form, and its result."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, Mapping, Optional, Union

from gluon_cbam import weights
from gluon_cbam.common.errors import UsageError
from gluon_cbam.common.files import PathLike
from gluon_cbam.training.config.resolution import resolve
from gluon_cbam.training.config.train_config import TrainConfig
from gluon_cbam.training.logging.reporter import Display

from . import trainer

if TYPE_CHECKING:
    from gluon_cbam.inference.model import LoadedModel


@dataclass(frozen=True)
class TrainingResult:
    """A finished run.

    Attributes:
        output: the run folder.
        summary: its ``summary.json``, see :func:`.trainer.train`: ``epochs``, ``steps``, ``best``, ``final``, ...
    """

    output: Path
    summary: Dict[str, Any]

    @property
    def params(self) -> Path:
        """The parameter file of the best epoch, or of the last one without validation data."""
        return weights.find_file(self.output)

    def load(self, **options: Any) -> LoadedModel:
        """The trained network, ready to predict.

        Args:
            **options: further arguments of :func:`gluon_cbam.load`.
        """
        from gluon_cbam.inference.model import load

        return load(self.output, **options)


def train(
    config: Union[TrainConfig, Mapping[str, Any], PathLike, None] = None,
    progress: Optional[Display] = None,
    **settings: Any,
) -> TrainingResult:
    """Train a network, as ``cbam train`` does.

    Args:
        config: settings by name, among them ``recipe`` and ``resume``; the path of a YAML or JSON file with settings;
            or a :class:`.TrainConfig`.
        progress: see :func:`.trainer.train`.
        **settings: further settings, which override those of ``config``. The names are the flags of ``cbam train`` with
            underscores.

    Returns:
        The run folder and the summary.

    Raises:
        UsageError: a setting is wrong.
        EnvironmentProblem: a device or a package is missing.
        DataError: data or a checkpoint is damaged or does not fit.
        RunError: the loss is not finite.
        Interrupted: a signal stopped the run, after its state was saved.

    Example:
        >>> run = gluon_cbam.train(network='cbamnet_tiny', data_train='rec/train.rec', data_val='rec/val.rec', epochs=3)
        >>> run.summary['best'], run.load().predict('new.png')
    """
    if isinstance(config, TrainConfig):
        if settings:
            raise UsageError(f'a TrainConfig has all settings: put {sorted(settings)[0]} into it')
        summary = trainer.train(config, progress)
    else:
        file = os.fspath(config) if isinstance(config, (str, os.PathLike)) else None
        given = {**(config if isinstance(config, Mapping) else {}), **settings}
        paths = {name: os.fspath(value) for name, value in given.items() if isinstance(value, os.PathLike)}
        summary = trainer.train(resolve({**given, **paths}, file).config, progress)
    return TrainingResult(Path(summary['output']), summary)
