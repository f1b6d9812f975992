"""SphereFace (Liu et al., CVPR 2017): a margin that multiplies the angle."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Dict, Optional

from gluon_cbam.common.errors import UsageError
from gluon_cbam.common.types import OpNamespace, Tensor

from .margin import Margin, State


@dataclass(frozen=True)
class SphereFace(Margin):
    """The target's value is psi(theta) = (-1)^k cos(m theta) - 2 k, theta being in [k pi / m, (k + 1) pi / m].

    It is mixed with the plain cosine, (lambda cos theta + psi(theta)) / (1 + lambda), and lambda falls from step to
    step: max(``smallest``, ``base`` / (1 + ``gamma`` step)), the first step being 1; without it training does not
    start.
    cos(m theta) is a polynomial of the cosine, so that all gradients are finite.

    Attributes:
        scale: factor of the logits; None for the norm of each embedding, as in the paper.
        m: a whole number.
        base: lambda of the first steps; 0 for none, which is psi itself.
        gamma: how fast it falls.
        smallest: the smallest lambda.
    """

    scale: Optional[float] = None  # type: ignore[assignment]
    m: int = 4
    base: float = 1000.0
    gamma: float = 0.12
    smallest: float = 5.0

    needs = ('norm',)

    def __post_init__(self) -> None:
        if self.m < 1 or self.m != int(self.m):
            raise UsageError(f'--margin {self.m:g}: sphereface takes a whole number from 1, such as 4')
        object.__setattr__(self, 'm', int(self.m))

    def initial_state(self) -> Dict[str, float]:
        """See :meth:`.margin.Margin.initial_state`."""
        return {'steps': 0.0} if self.base else {}

    def advance(self, F: OpNamespace, state: State, target: Tensor, norm: Tensor) -> State:
        """See :meth:`.margin.Margin.advance`."""
        return {name: value + 1 for name, value in state.items()}

    def target(self, F: OpNamespace, cosine: Tensor, norm: Tensor, state: State) -> Tensor:
        """See :meth:`.margin.Margin.target`."""
        psi = self._psi(F, cosine)
        if not self.base:
            return psi
        share = 1 / (1 + F.maximum(self.base / (1 + self.gamma * state['steps']), self.smallest))
        return cosine + F.broadcast_mul(psi - cosine, F.reshape(F.BlockGrad(share), shape=(1, 1)))

    def scaled(self, F: OpNamespace, values: Tensor, norm: Tensor) -> Tensor:
        """See :meth:`.margin.Margin.scaled`."""
        return F.broadcast_mul(values, norm) if self.scale is None else self.scale * values

    def _psi(self, F: OpNamespace, cosine: Tensor) -> Tensor:
        if self.m == 1:
            return cosine
        k = sum(cosine <= math.cos(number * math.pi / self.m) for number in range(1, self.m))
        sign = 1 - 2 * (k - 2 * F.floor(k / 2))
        return sign * self._multiple(cosine) - 2 * k

    def _multiple(self, cosine: Tensor) -> Tensor:
        """cos(m theta), by Chebyshev's recurrence."""
        before, value = 1, cosine
        for _ in range(self.m - 1):
            before, value = value, 2 * cosine * value - before
        return value
