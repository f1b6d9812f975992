"""What a check is told: the devices, and how much to do."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Dict, List, Optional


@dataclass(frozen=True)
class Setting:
    """The devices of a check, and how much it does.

    Attributes:
        gpus: value of ``--gpus`` of ``cbam``; None for CPU contexts, with which the checks themselves are tested.
        quick: do the least that shows something.
        folder: an empty folder for its files.
    """

    gpus: Optional[str]
    quick: bool
    folder: str

    @property
    def path(self) -> Path:
        """The folder."""
        return Path(self.folder)

    def devices(self) -> List[Any]:
        """The contexts; two of the CPU in place of GPUs, of which the first is not MXNet's default."""
        import mxnet as mx

        from gluon_cbam.compat.devices import contexts

        return contexts(self.gpus) if self.gpus is not None else [mx.cpu(1), mx.cpu(0)]

    def numbers(self) -> List[int]:
        """The numbers of the devices."""
        return [device.device_id for device in self.devices()]

    def training(self, count: int = 1) -> Dict[str, Any]:
        """The settings of ``cbam train`` for a number of these devices."""
        if self.gpus is None:
            return {'cpus': count}
        return {'gpus': ','.join(map(str, self.numbers()[:count]))}

    def as_json(self) -> str:
        """For the command line of a check's process."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> 'Setting':
        """The setting of :meth:`as_json`."""
        return cls(**json.loads(text))
