"""The classes of a network and of data: how many, their names, and whether both name the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, List, NamedTuple, Optional, Tuple


class Labels(NamedTuple):
    """The outputs of the network, as the training data define them.

    Attributes:
        classes: outputs of the network's last layer.
        class_names: the names of the classes, in the order of the outputs, or None.
    """

    classes: int
    class_names: Optional[List[str]]


@dataclass(frozen=True)
class ClassCheck:
    """The comparison of the names of classes, and hints about labels.

    Attributes:
        compared: whether all lists of names were compared, and agree; False if some are not known or ``ignore_classes``
            was given; None where there is nothing to compare, as in tasks without classes.
        warnings: lines for the log: why names were not compared, and hints about labels.
    """

    compared: Optional[bool] = None
    warnings: Tuple[str, ...] = ()

    def __add__(self, other: ClassCheck) -> ClassCheck:
        """Both checks together; a line that both have is kept once."""
        known = [each.compared for each in (self, other) if each.compared is not None]
        return ClassCheck(all(known) if known else None, tuple(dict.fromkeys((*self.warnings, *other.warnings))))

    def as_dict(self) -> Dict[str, Any]:
        """The check as ``--json`` has it in every command: ``classes_compared`` if it is false, ``warnings`` if any."""
        compared = {'classes_compared': False} if self.compared is False else {}
        return {**compared, **({'warnings': list(self.warnings)} if self.warnings else {})}
