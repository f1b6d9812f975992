"""Knowledge distillation: the student learns the probabilities that a teacher gives, besides the labels."""

from __future__ import annotations

from typing import Any

from mxnet.gluon.loss import Loss

from gluon_cbam.common.types import OpNamespace, Tensor


class DistillationLoss(Loss):
    """The loss of the labels and that of the teacher (Hinton, Vinyals and Dean, arXiv 1503.02531, section 2).

    ``(1 - alpha) * loss + alpha * T^2 * KL(teacher || student)``, where both probabilities are softmax(logits / T). The
    factor T^2 keeps the gradients of the second term at their size when the temperature is changed.

    Args:
        alpha: the share of the teacher's loss, in [0, 1].
        temperature: T, above 0.

    Inputs:
        the losses of the labels, (N,), the student's logits, (N, K), and the teacher's, (N, K).

    Outputs:
        (N,), in nats.
    """

    def __init__(self, alpha: float, temperature: float, **kwargs: Any) -> None:
        super().__init__(weight=None, batch_axis=0, **kwargs)
        self._alpha, self._temperature = alpha, temperature

    def hybrid_forward(self, F: OpNamespace, loss: Tensor, logits: Tensor, teacher: Tensor) -> Tensor:
        """The loss of each image."""
        divergence = self._divergence(F, logits / self._temperature, teacher / self._temperature)
        return (1 - self._alpha) * loss + self._alpha * self._temperature**2 * divergence

    def _divergence(self, F: OpNamespace, logits: Tensor, teacher: Tensor) -> Tensor:
        """KL(teacher || student) of the probabilities of scaled logits, (N,)."""
        own, taught = F.log_softmax(logits, axis=-1), F.log_softmax(teacher, axis=-1)
        return F.sum(F.exp(taught) * (taught - own), axis=-1)
