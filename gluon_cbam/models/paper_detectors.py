"""Table 7 of the CBAM paper (arXiv 1807.06521v2) next to the parameters of the detectors here.

The paper states neither the anchors nor the layers. ``ssd_300_vgg16`` is the SSD paper's, ``ssd_300_lite`` a MobileNet
SSD as it is widely used, with four anchors in the cells of its first map; both StairNets were chosen so that their
parameters fit. The first row does not: with six anchors in the cells of the first map, as ``stairnet_300_vgg16`` has,
it would.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Dict, Iterable, Optional

from .registry import build, variant


@dataclass(frozen=True)
class PaperDetector:
    """A line of table 7 as the paper prints it.

    Attributes:
        name: the name of the detector here.
        attention: the attention before its classifiers, or None.
        parameters: the number of parameters, in millions.
        ap50: the average precision on Pascal VOC 2007 at an IoU of 0.5, in percent.
    """

    name: str
    attention: Optional[str]
    parameters: str
    ap50: str


PAPER = (
    PaperDetector('ssd_300_vgg16', None, '26.5', '77.8'),
    PaperDetector('stairnet_300_vgg16', None, '32.0', '78.9'),
    PaperDetector('stairnet_300_vgg16', 'se', '32.1', '79.1'),
    PaperDetector('stairnet_300_vgg16', 'cbam', '32.1', '79.3'),
    PaperDetector('ssd_300_lite', None, '5.81', '68.1'),
    PaperDetector('stairnet_300_lite', None, '5.98', '70.1'),
    PaperDetector('stairnet_300_lite', 'se', '5.99', '70.0'),
    PaperDetector('stairnet_300_lite', 'cbam', '6.00', '70.5'),
)
"""The lines of table 7."""


@dataclass(frozen=True)
class DetectorComparison:
    """Our count next to a line of the paper.

    Attributes:
        name: the name of the detector.
        attention: the attention before its classifiers, or None.
        parameters: trainable parameters, counted, with the 20 classes of Pascal VOC.
        paper_parameters: the number of parameters in millions, as printed.
        paper_ap50: the average precision in percent, as printed; not measured here.
        differs: whether the parameters differ from the paper after rounding.
    """

    name: str
    attention: Optional[str]
    parameters: int
    paper_parameters: str
    paper_ap50: str
    differs: bool

    def as_dict(self) -> Dict[str, Any]:
        """Return the attributes by name, the figures of the paper as numbers."""
        numbers = {key: float(value) for key, value in asdict(self).items() if key.startswith('paper_')}
        return {'table': 7, **asdict(self), **numbers}


def compare(figures: PaperDetector) -> DetectorComparison:
    """Build the detector of a line and count it.

    Args:
        figures: the line.

    Returns:
        Both counts.
    """
    from .complexity import complexity

    size = variant(figures.name).image_size
    net = build(figures.name, attention=figures.attention, attention_in='heads')
    parameters = complexity(net, (1, 3, size, size)).parameters
    return DetectorComparison(
        figures.name, figures.attention, parameters, figures.parameters, figures.ap50,
        differs=_millions(parameters, figures.parameters) != figures.parameters,
    )  # fmt: skip


def _millions(parameters: int, like: str) -> str:
    """A count in millions, with as many decimals as the paper prints."""
    return f'{parameters / 1e6:.{len(like.partition(".")[2])}f}'


def as_text(rows: Iterable[DetectorComparison]) -> str:
    """Write the comparisons as a human-readable table.

    Args:
        rows: the comparisons.

    Returns:
        The table, with a ``!`` after a count of ours that differs from the paper, and the notes.
    """
    lines = [f'{"table":5} {"detector":24} {"parameters":>11} {"/ 1e6":>8} {"paper":>8} {"paper AP.5":>11}']
    wrong = count = 0
    for row in rows:
        count, wrong = count + 1, wrong + row.differs
        name = f'{row.name} +{row.attention}' if row.attention else row.name
        millions = _millions(row.parameters, row.paper_parameters) + ('!' if row.differs else ' ')
        counts = f'{row.parameters:>11,} {millions:>8} {row.paper_parameters:>8}'
        lines.append(f'7     {name:24} {counts} {row.paper_ap50:>11}')
    verdict = f'{wrong} of {count} detectors differ' if wrong else f'all {count} detectors have the printed parameters'
    return '\n'.join((*lines, f'Table 7: {verdict}.'))
