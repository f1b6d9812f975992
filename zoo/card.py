"""The card of a weight file: everything that is needed to use it and to trust it.

The same card stands beside a checkpoint, as JSON, and in ``zoo/cards``, as YAML.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import Any, Dict, List, Optional


class ZooError(ValueError):
    """A card or a weight that is not there, or not what it says.

    Args:
        message: one line.
        exit_code: 2 when asked for what does not exist, 4 when damaged.
    """

    def __init__(self, message: str, exit_code: int = 4):
        super().__init__(message)
        self.exit_code = exit_code


@dataclass(frozen=True)
class Card:
    """A weight file.

    Attributes:
        network: name of the network.
        classes: outputs of its last layer.
        sha256: of the parameter file.
        bytes: its size.
        preprocessing: ``image_size`` and ``crop_ratio``, ``mean`` and ``std`` of the channels for pixels in 0..1.
        options: of the network.
        class_names: in the order of the outputs, if known.
        metrics: figure by name, for instance ``top1``, an accuracy in 0..1.
        tag: ``network.data`` of a published weight.
        source: who made it.
        licence: of the file.
        command: that made it.
        training: how far the run was that saved it.
    """

    network: str
    classes: int
    sha256: str
    bytes: int
    preprocessing: Dict[str, Any]
    options: Dict[str, Any] = field(default_factory=dict)
    class_names: Optional[List[str]] = None
    metrics: Dict[str, Any] = field(default_factory=dict)
    tag: Optional[str] = None
    source: Optional[str] = None
    licence: Optional[str] = None
    command: Optional[str] = None
    training: Optional[Dict[str, Any]] = None

    def as_dict(self) -> Dict[str, Any]:
        """The attributes that are set, by name."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    @classmethod
    def from_dict(cls, values: Any, where: str) -> Card:
        """The way back.

        Args:
            values: what was read from the file.
            where: the file, for the message.

        Raises:
            ZooError: it is no card.
        """
        known = {entry.name for entry in fields(cls)}
        if not isinstance(values, dict) or not set(values) <= known:
            unknown = ', '.join(sorted(set(values) - known)) if isinstance(values, dict) else type(values).__name__
            raise ZooError(f'{where}: not a card of weights (unknown: {unknown})')
        try:
            card = cls(**values)
        except TypeError as error:
            raise ZooError(f'{where}: not a card of weights ({error})') from None
        types = {'network': str, 'classes': int, 'sha256': str, 'bytes': int, 'preprocessing': dict, 'options': dict}
        for name, kind in types.items():
            if not isinstance(getattr(card, name), kind):
                raise ZooError(f'{where}: {name} must be {kind.__name__}, got {getattr(card, name)!r}')
        return card
