"""The heads that classify identities: a row for each, with the defaults of its source."""

from __future__ import annotations

import math
from typing import Any, Dict, NamedTuple, Optional, Sequence, Tuple

from gluon_cbam.common.errors import UsageError, closest

from .adaptive import AdaFace, CurricularFace, MagFace
from .angular import ArcFace, CombinedMargin
from .margin import Margin, Softmax
from .sphere import SphereFace


class HeadRow(NamedTuple):
    """A head.

    Attributes:
        margin: the margin with its defaults.
        margins: the names of its margins, in the order of ``--margin``.
        subcenters: class weights of an identity, of which the nearest counts.
        angles: those of the margins that are angles in radians.
    """

    margin: Margin
    margins: Tuple[str, ...] = ()
    subcenters: int = 1
    angles: Tuple[str, ...] = ()


HEADS: Dict[str, HeadRow] = {
    'softmax': HeadRow(Softmax()),
    'nsoftmax': HeadRow(Margin()),
    'sphereface': HeadRow(SphereFace(), ('m',)),
    'multiplicative': HeadRow(CombinedMargin(m1=1.35), ('m1',)),
    'cosface': HeadRow(CombinedMargin(m3=0.35), ('m3',)),
    'arcface': HeadRow(ArcFace(), ('m',), angles=('m',)),
    'combined': HeadRow(CombinedMargin(m1=1.0, m2=0.3, m3=0.2), ('m1', 'm2', 'm3'), angles=('m2',)),
    'subcenter_arcface': HeadRow(ArcFace(), ('m',), subcenters=3, angles=('m',)),
    'curricularface': HeadRow(CurricularFace(), ('m',), angles=('m',)),
    'adaface': HeadRow(AdaFace(), ('m', 'h')),
    'magface': HeadRow(MagFace(), ('smallest', 'largest'), angles=('smallest', 'largest')),
}
"""Name of a head -> its row: insightface's names where it has the head."""


def check_margin(name: str, value: float, angles: Sequence[str] = ()) -> None:
    """Check a margin, see :class:`HeadRow`.

    Raises:
        UsageError: it is negative or not finite, or is an angle above pi.
    """
    most = math.pi if name in angles else math.inf
    if not (0 <= value <= most and math.isfinite(value)):
        unit = ' an angle of 0 to pi radians' if name in angles else ' a finite number from 0'
        raise UsageError(f'--margin {value:g}: {name} is{unit}')


def make_margin(
    name: str,
    scale: Optional[float] = None,
    margins: Sequence[float] = (),
    form: Optional[str] = None,
    dtype: str = 'float32',
) -> Margin:
    """The margin of a head.

    Args:
        name: a key of :data:`HEADS`.
        scale: factor of the logits; default the head's.
        margins: as many as :attr:`HeadRow.margins` names, or the first of them; default the head's.
        form: what holds where the angle and the margin together are above pi, see :class:`.angular.ArcFace`.
        dtype: type of the cosines.

    Raises:
        UsageError: there is no such head, or it has no such setting.
    """
    if name not in HEADS:
        raise UsageError(f'unknown head {name!r}: {closest(name, HEADS)}')
    row = HEADS[name]
    if len(margins) > len(row.margins):
        takes = f'takes {len(row.margins)}: {", ".join(row.margins)}' if row.margins else 'has none'
        raise UsageError(f'--margin {",".join(f"{value:g}" for value in margins)}: the head {name} {takes}')
    options: Dict[str, Any] = {**dict(zip(row.margins, margins)), 'dtype': dtype}
    for margin, value in zip(row.margins, margins):
        check_margin(margin, value, row.angles)
    if scale is not None:
        if not 0 < scale < math.inf:
            raise UsageError(f'--scale {scale:g} must be a finite number above 0: the logits are multiplied by it')
        options['scale'] = scale
    if form is not None:
        if not hasattr(row.margin, 'form'):
            raise UsageError(f'the head {name} has no form {form!r}: leave it out')
        options['form'] = form
    return row.margin.changed(**options)
