"""Heads whose margin follows from the image or from the progress of training: CurricularFace, AdaFace and MagFace."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Dict

from gluon_cbam.common.types import OpNamespace, Tensor

from .angles import clamp, sine
from .angular import ArcFace
from .margin import Margin, State


@dataclass(frozen=True)
class CurricularFace(ArcFace):
    """ArcFace whose hard negatives gain weight in the course of training (Huang et al., CVPR 2020, equations 3 to 6).

    A class is a hard negative of an image if its cosine is above cos(theta + m) of the target; its value is then
    cos (t + cos). t is the moving average of the targets' mean cosine, 0 at first.

    Attributes:
        momentum: the share of t that a step keeps.
    """

    momentum: float = 0.99

    needs = ('target',)

    def initial_state(self) -> Dict[str, float]:
        """See :meth:`.margin.Margin.initial_state`."""
        return {'t': 0.0}

    def advance(self, F: OpNamespace, state: State, target: Tensor, norm: Tensor) -> State:
        """See :meth:`.margin.Margin.advance`."""
        return {
            't': self.momentum * state['t'] + (1 - self.momentum) * F.mean(F.reshape(target, shape=(-1, 1)), axis=0)
        }

    def others(self, F: OpNamespace, cosines: Tensor, target: Tensor, norm: Tensor, state: State) -> Tensor:
        """See :meth:`.margin.Margin.others`."""
        # the comparison is with cos(theta + m) itself, also where the target's value is another
        limit = math.cos(self.m) * target - math.sin(self.m) * sine(F, target, self.dtype)
        weight = F.broadcast_add(cosines, F.reshape(F.BlockGrad(state['t']), shape=(1, 1)))
        return F.where(F.broadcast_greater(cosines, limit), cosines * weight, cosines)


@dataclass(frozen=True)
class AdaFace(Margin):
    """Margins by the quality of the image, which the norm of its embedding shows (Kim et al., CVPR 2022).

    With z = (norm - mean) / std * h, clipped to [-1, 1], the target's value is cos(theta - m z) - (m z + m): good
    images have their margin in the cosine and bad ones in the angle. Norms are clipped to [0.001, 100] and have no
    gradient; their mean and standard deviation are moving averages over batches, 20 and 100 at first.

    Attributes:
        m: the margin.
        h: how far norms spread over the margins: 0.333 leaves 68 % of them within a third.
        momentum: the share of the moving averages that a step keeps.
        nearest: the smallest distance of any cosine from 1, and of the changed angle from 0 and pi, as in the source.
    """

    m: float = 0.4
    h: float = 0.333
    momentum: float = 0.99
    nearest: float = 1e-3

    needs = ('norm',)

    def initial_state(self) -> Dict[str, float]:
        """See :meth:`.margin.Margin.initial_state`."""
        return {'mean': 20.0, 'std': 100.0}

    def advance(self, F: OpNamespace, state: State, target: Tensor, norm: Tensor) -> State:
        """See :meth:`.margin.Margin.advance`."""
        norms = F.reshape(clamp(F, norm, 0.001, 100), shape=(-1, 1))
        mean = F.mean(norms, axis=0)
        squares = F.sum(F.square(F.broadcast_sub(norms, F.reshape(mean, shape=(1, 1)))), axis=0)
        # without bias, as in the source; a batch of one image has no deviation
        degrees = F.maximum(F.sum(F.ones_like(norms), axis=0) - 1, 1)
        new = {'mean': mean, 'std': F.sqrt(squares / degrees)}
        return {name: self.momentum * state[name] + (1 - self.momentum) * value for name, value in new.items()}

    def target(self, F: OpNamespace, cosine: Tensor, norm: Tensor, state: State) -> Tensor:
        """See :meth:`.margin.Margin.target`."""
        norms = F.BlockGrad(clamp(F, norm, 0.001, 100))
        mean, std = (F.reshape(F.BlockGrad(state[name]), shape=(1, 1)) for name in ('mean', 'std'))
        quality = F.broadcast_div(F.broadcast_sub(norms, mean), std + self.nearest)
        shift = self.m * clamp(F, self.h * quality, -1, 1)
        theta = F.arccos(clamp(F, cosine, self.nearest - 1, 1 - self.nearest)) - shift
        return F.cos(clamp(F, theta, self.nearest, math.pi - self.nearest)) - shift - self.m

    def others(self, F: OpNamespace, cosines: Tensor, target: Tensor, norm: Tensor, state: State) -> Tensor:
        """See :meth:`.margin.Margin.others`."""
        return clamp(F, cosines, self.nearest - 1, 1 - self.nearest)


@dataclass(frozen=True)
class MagFace(Margin):
    """ArcFace whose margin grows with the norm of the embedding (Meng et al., CVPR 2021, equations 3 and 5).

    The margin rises linearly from ``smallest`` at the norm ``low`` to ``largest`` at ``high``; norms are clipped
    to that range. The loss has ``weight`` (norm / high^2 + 1 / norm) besides, by which norms grow. As in the source,
    easy is the rule: images whose cosine is not positive have no margin.

    Attributes:
        smallest: the margin of the smallest norm, in radians.
        largest: the margin of the largest norm.
        low: the smallest norm.
        high: the largest norm.
        weight: lambda_g.
        form: see :class:`.angular.ArcFace`.
    """

    smallest: float = 0.45
    largest: float = 0.8
    low: float = 10.0
    high: float = 110.0
    weight: float = 35.0
    form: str = 'easy'

    needs = ('norm',)

    def target(self, F: OpNamespace, cosine: Tensor, norm: Tensor, state: State) -> Tensor:
        """See :meth:`.margin.Margin.target`."""
        slope = (self.largest - self.smallest) / (self.high - self.low)
        margin = self.smallest + slope * (clamp(F, norm, self.low, self.high) - self.low)
        sin_m, cos_m = F.sin(margin), F.cos(margin)
        value = cosine * cos_m - sine(F, cosine, self.dtype) * sin_m
        if self.form == 'cosine':
            return value
        if self.form == 'easy':
            return F.where(cosine > 0, value, cosine)
        return F.where(cosine > -cos_m, value, cosine - margin * sin_m)

    def penalty(self, F: OpNamespace, norm: Tensor) -> Tensor:
        """See :meth:`.margin.Margin.penalty`."""
        norms = clamp(F, norm, self.low, self.high)
        return self.weight * (norms / self.high**2 + 1 / norms)
