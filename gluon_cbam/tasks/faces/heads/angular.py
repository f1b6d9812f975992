"""Heads whose margin is the same for all images: normalized softmax, CosFace, ArcFace and their combination."""

from __future__ import annotations

import math
from dataclasses import dataclass

from gluon_cbam.common.types import OpNamespace, Tensor

from .angles import angle, widened
from .margin import Margin, State


@dataclass(frozen=True)
class CombinedMargin(Margin):
    """The target's value is cos(m1 theta + m2) - m3 (Deng et al., CVPR 2019, equation 4).

    As in insightface's MXNet code, nothing is different where m1 theta + m2 is above pi. With m1 = 1 no angle is
    computed, and with m2 = 0 besides no sine: CosFace (Wang et al., CVPR 2018, equation 4) is m3 alone.

    Attributes:
        m1: factor of the angle.
        m2: added to the angle, in radians.
        m3: subtracted from the cosine.
    """

    m1: float = 1.0
    m2: float = 0.0
    m3: float = 0.0

    def target(self, F: OpNamespace, cosine: Tensor, norm: Tensor, state: State) -> Tensor:
        """See :meth:`.margin.Margin.target`."""
        if self.m1 != 1:
            cosine = F.cos(self.m1 * angle(F, cosine, self.dtype) + self.m2)
        elif self.m2:
            cosine = widened(F, cosine, self.m2, self.dtype)
        return cosine - self.m3


@dataclass(frozen=True)
class ArcFace(Margin):
    """The target's value is cos(theta + m) (Deng et al., CVPR 2019, equation 3).

    Where theta + m is above pi the cosine rises again with theta. ``form`` says what the value is there:

    * ``linear``: cos theta - m sin(pi - m), which falls, as in insightface's earlier code and its PyTorch code;
    * ``cosine``: cos(theta + m) all the same, as in insightface's MXNet code, which computes it by the arc cosine;
    * ``easy``: the margin holds for angles below pi / 2 only, others keep cos theta (``easy_margin``).

    Attributes:
        m: the margin, in radians.
        form: one of the above.
    """

    m: float = 0.5
    form: str = 'linear'

    def target(self, F: OpNamespace, cosine: Tensor, norm: Tensor, state: State) -> Tensor:
        """See :meth:`.margin.Margin.target`."""
        margin = widened(F, cosine, self.m, self.dtype)
        if self.form == 'cosine':
            return margin
        if self.form == 'easy':
            return F.where(cosine > 0, margin, cosine)
        return F.where(cosine > math.cos(math.pi - self.m), margin, cosine - self.m * math.sin(math.pi - self.m))
