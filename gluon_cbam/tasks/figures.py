"""The figures that a task measures, and the evaluations that hold their values."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Dict, Optional, Tuple


@dataclass(frozen=True)
class Figure:
    """A number that a task measures: its names, how it is printed and drawn, and which direction is better.

    Attributes:
        name: key in JSON files, cards and ``metrics.jsonl`` (there with ``val_`` or ``train_`` in front).
        label: the name in log lines and tables.
        title: the title of an axis or a plot.
        higher_is_better: whether a higher value is the better one.
        unit: printed behind the title, or empty.
        digits: decimals in log lines and tables.
        short_digits: decimals on the progress line.
        limits: lower and upper limit of the axis; None for a limit that follows from the values.
        shown: whether log lines and curves have it; files, cards and TensorBoard have every figure.
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
        """Label and value, as log lines have them."""
        return f'{self.label} {value:.{self.short_digits if short else self.digits}f}'

    def sort_key(self, value: float) -> float:
        """A number that is the smaller, the better the value is."""
        return -value if self.higher_is_better else value


class Evaluation:
    """What a network scores on a dataset. Subclasses are frozen dataclasses with these attributes and the figures.

    Attributes:
        records: examples that were counted, each once.
        seconds: the time in seconds that it took.
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
