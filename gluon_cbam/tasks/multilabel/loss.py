"""The losses of several labels: binary cross-entropy with weights of the positives, and distillation."""

from __future__ import annotations

from typing import Any, Optional

from mxnet.gluon.loss import Loss

from gluon_cbam.common.types import OpNamespace, Tensor
from gluon_cbam.tasks.classification.distillation import DistillationLoss


class MultilabelLoss(Loss):
    """Binary cross-entropy of logits, the mean over the classes, as ``torch.nn.BCEWithLogitsLoss(pos_weight=...)``.

    The term of a class is ``-w * target * log(p) - (1 - target) * log(1 - p)``, where p = sigmoid(logit).

    Inputs:
        logits (N, K), targets (N, K), in [0, 1], and w, (K,), the weights of positives; without them they are 1.

    Outputs:
        (N,), in nats.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(weight=None, batch_axis=0, **kwargs)

    def hybrid_forward(
        self, F: OpNamespace, logits: Tensor, target: Tensor, weights: Optional[Tensor] = None
    ) -> Tensor:
        """The loss of each image."""
        logits = F.cast(logits, 'float32')  # of a network in float16
        if weights is None:
            return F.mean(_cross_entropy(F, logits, target), axis=-1)
        positive = F.broadcast_mul(target * softplus(F, -logits), weights.expand_dims(0))
        return F.mean(positive + (1 - target) * softplus(F, logits), axis=-1)


class BinaryDistillationLoss(DistillationLoss):
    """Distillation of classes that are decisions of their own: probabilities are sigmoid(logits / T).

    The divergence of a class is the binary cross-entropy of the student for the probability of the teacher, less its
    smallest value, that of a student that agrees; that of an image is the mean over the classes.
    """

    def _divergence(self, F: OpNamespace, logits: Tensor, teacher: Tensor) -> Tensor:
        taught = F.sigmoid(teacher)
        return F.mean(_cross_entropy(F, logits, taught) - _cross_entropy(F, teacher, taught), axis=-1)


def softplus(F: OpNamespace, x: Tensor) -> Tensor:
    """log(1 + exp(x)), without an exponential that overflows."""
    return F.relu(x) + F.Activation(-F.abs(x), act_type='softrelu')


def _cross_entropy(F: OpNamespace, logits: Tensor, target: Tensor) -> Tensor:
    """The binary cross-entropy of each class, (N, K)."""
    return softplus(F, logits) - logits * target
