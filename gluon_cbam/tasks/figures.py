"""The figures that a task measures, and the evaluations that hold their values."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Dict, List, Optional, Tuple

TOLERANCES: Dict[str, float] = {'publisher': 0.01, 'verified': 0.001}
"""Who measured a share on a card, see :class:`gluon_cbam.zoo.card.Metrics` -> how much others may differ."""


def share_tolerance(measured_by: str, records: int) -> float:
    """The tolerance of figures that are shares of the examples, at least one example; see :meth:`.base.Task.tolerance`.

    Args:
        measured_by: a key of :data:`TOLERANCES`.
        records: number of examples that were evaluated.
    """
    return max(TOLERANCES[measured_by], 1.01 / records)  # 1.01: they are floats


@dataclass(frozen=True)
class Figure:
    """A number that a task measures: its names, its format, and which direction is better.

    Attributes:
        name: key in JSON files, cards and ``metrics.jsonl`` (there with the prefix ``val_`` or ``train_``).
        label: the name in log lines and tables.
        title: the title of an axis or a plot.
        higher_is_better: whether a higher value is the better one.
        unit: printed after the title, or empty.
        digits: decimals in log lines and tables.
        short_digits: decimals on the progress line.
        limits: lower and upper limit of the axis; None for a limit that follows from the values.
        shown: whether it is in log lines and curves; files, cards and TensorBoard have every figure.
    """

    name: str
    label: str
    title: str
    higher_is_better: bool
    unit: str = ''
    digits: int = 4
    short_digits: int = 4
    limits: Tuple[Optional[float], Optional[float]] = (0, None)
    shown: bool = True

    def text(self, value: float, short: bool = False) -> str:
        """The label and the value, for log lines."""
        return f'{self.label} {value:.{self.short_digits if short else self.digits}f}'

    def sort_key(self, value: float) -> float:
        """A key that sorts values from the best to the worst."""
        return -value if self.higher_is_better else value


class Evaluation:
    """The evaluation of a network. Subclasses are frozen dataclasses with these attributes and the figures.

    Attributes:
        records: number of examples, each counted once.
        seconds: time of the evaluation.
    """

    records: int
    seconds: float

    def as_dict(self) -> Dict[str, Any]:
        """The attributes by name, as ``--json`` has them."""
        return asdict(self)  # type: ignore[call-overload]

    @property
    def figures(self) -> Dict[str, float]:
        """The figures by name."""
        return {name: value for name, value in self.as_dict().items() if name not in ('records', 'seconds')}

    def lines(self, by_class: bool = False) -> List[str]:
        """Further lines of ``cbam validate``, such as a table of the classes.

        Args:
            by_class: whether the figures of each class are asked for, however many classes there are.
        """
        return []
