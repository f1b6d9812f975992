"""The resolved configuration of a run: every value is known from files and devices, and none changes."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from typing import Any

from gluon_cbam.common.image_size import ImageSize

from .train_config import TrainConfig

_RESOLVED = ('network', 'data_train', 'workers', 'classes', 'image_size', 'crop_ratio', 'resize', 'augment', 'lr')


class RunConfig(TrainConfig):
    """A :class:`TrainConfig` whose defaults are filled in. It cannot be changed.

    Settings that depend on the model, the data or the machine have values here. ``batch_size`` is the batch of a device
    and ``lr`` the learning rate of the run, also where they follow from ``total_batch_size`` or ``lr_base``. Make one
    with :meth:`resolved`.
    """

    # no @dataclass: the fields are those of TrainConfig, the annotations only leave out Optional
    workers: int
    classes: int
    image_size: ImageSize
    crop_ratio: float
    resize: str
    augment: str
    lr: float

    @classmethod
    def resolved(cls, config: TrainConfig, **values: Any) -> RunConfig:
        """Fill in the values that a configuration does not have.

        Args:
            config: checked; it is not changed.
            **values: settings by name that files and devices decided; they override those of ``config``.

        Raises:
            ValueError: a setting that a run needs is still None.
        """
        settings = {**config.as_dict(), **values}
        missing = [name for name in _RESOLVED if settings[name] is None]
        if missing:
            raise ValueError(f'a run needs {", ".join(missing)}, got None')
        own = type(config)  # with the settings of the task
        kind = cls if own is TrainConfig else type(cls.__name__, (cls, own), {'__doc__': cls.__doc__})
        return kind(**settings)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in self.__dict__:
            raise FrozenInstanceError(f'cannot assign {name!r}: the configuration of a run does not change')
        super().__setattr__(name, value)
