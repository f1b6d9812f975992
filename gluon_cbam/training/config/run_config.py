"""The configuration of a run once files and devices were looked at: nothing is left open, and nothing changes."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from typing import Any

from .train_config import TrainConfig

_RESOLVED = ('network', 'data_train', 'workers', 'classes', 'image_size', 'crop_ratio', 'augment')


class RunConfig(TrainConfig):
    """A :class:`TrainConfig` whose defaults are filled in. It cannot be changed.

    What depends on the model, the data or the machine has a value here; ``batch_size`` and ``lr`` are those of a device
    and of the whole run, also where ``total_batch_size`` or ``lr_base`` decided them. Make one with :meth:`resolved`.
    """

    # no @dataclass: the fields are those of TrainConfig, the annotations only leave out Optional
    workers: int
    classes: int
    image_size: int
    crop_ratio: float
    augment: str

    @classmethod
    def resolved(cls, config: TrainConfig, **values: Any) -> RunConfig:
        """Fill in what a configuration leaves open.

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
        return cls(**settings)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in self.__dict__:
            raise FrozenInstanceError(f'cannot assign {name!r}: the configuration of a run does not change')
        super().__setattr__(name, value)
