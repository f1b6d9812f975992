"""The heads that classify identities: a row for each, with the defaults of its source."""

from __future__ import annotations

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
    """

    margin: Margin
    margins: Tuple[str, ...] = ()
    subcenters: int = 1


HEADS: Dict[str, HeadRow] = {
    'softmax': HeadRow(Softmax()),
    'nsoftmax': HeadRow(Margin()),
    'sphereface': HeadRow(SphereFace(), ('m',)),
    'multiplicative': HeadRow(CombinedMargin(m1=1.35), ('m1',)),
    'cosface': HeadRow(CombinedMargin(m3=0.35), ('m3',)),
    'arcface': HeadRow(ArcFace(), ('m',)),
    'combined': HeadRow(CombinedMargin(m1=1.0, m2=0.3, m3=0.2), ('m1', 'm2', 'm3')),
    'subcenter_arcface': HeadRow(ArcFace(), ('m',), subcenters=3),
    'curricularface': HeadRow(CurricularFace(), ('m',)),
    'adaface': HeadRow(AdaFace(), ('m', 'h')),
    'magface': HeadRow(MagFace(), ('smallest', 'largest')),
}
"""Name of a head -> its row: insightface's names where it has the head."""


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
    if scale is not None:
        options['scale'] = scale
    if form is not None:
        if not hasattr(row.margin, 'form'):
            raise UsageError(f'the head {name} has no form {form!r}: leave it out')
        options['form'] = form
    return row.margin.changed(**options)
