"""The losses of logits: cross-entropy and binary cross-entropy, both with label smoothing."""

from __future__ import annotations

from typing import Any, Optional

from mxnet.gluon.loss import Loss

from gluon_cbam.common.types import OpNamespace, Tensor


class SmoothedCrossEntropy(Loss):
    """Cross-entropy of logits with label smoothing (Szegedy et al., CVPR 2016, section 7).

    The target has ``1 - smoothing`` on the label and ``smoothing / K`` on each of the K classes, the label's included.

    Args:
        smoothing: the share of the target that is spread over all classes, in [0, 1); 0 is the plain cross-entropy.

    Inputs:
        logits (N, K), labels (N,) and, for a loss with weights of the classes, these, (K,). The weight of a class
        multiplies the logarithm of its probability, as in ``torch.nn.CrossEntropyLoss``.

    Outputs:
        (N,), in nats.
    """

    def __init__(self, smoothing: float = 0.0, **kwargs: Any) -> None:
        super().__init__(weight=None, batch_axis=0, **kwargs)
        self._smoothing = smoothing

    def hybrid_forward(self, F: OpNamespace, logits: Tensor, label: Tensor, weights: Optional[Tensor] = None) -> Tensor:
        """The loss of each image."""
        log_probability = F.log_softmax(logits, axis=-1)
        if weights is not None:
            log_probability = F.broadcast_mul(log_probability, weights.expand_dims(0))
        loss = -F.pick(log_probability, label, axis=-1)
        if self._smoothing == 0:
            return loss
        return (1 - self._smoothing) * loss - self._smoothing * F.mean(log_probability, axis=-1)


class BinaryCrossEntropy(Loss):
    """Binary cross-entropy of logits, the mean over the classes, as ``timm.loss.BinaryCrossEntropy`` has it.

    Each class is a decision of its own (Wightman et al., ResNet strikes back, arXiv 2110.00476, section 2).

    Args:
        threshold: targets above it count as 1, all others as 0; None for targets as they are.

    Inputs:
        logits (N, K), targets (N, K), in [0, 1], and, for a loss with weights of the classes, these, (K,).

    Outputs:
        (N,), in nats.
    """

    def __init__(self, threshold: Optional[float] = None, **kwargs: Any) -> None:
        super().__init__(weight=None, batch_axis=0, **kwargs)
        self._threshold = threshold

    def hybrid_forward(
        self, F: OpNamespace, logits: Tensor, target: Tensor, weights: Optional[Tensor] = None
    ) -> Tensor:
        """The loss of each image."""
        logits = F.cast(logits, 'float32')  # of a network in float16
        if self._threshold is not None:
            target = target > self._threshold
        # -target log(p) - (1 - target) log(1 - p), without an exponential that overflows
        softplus = F.Activation(-F.abs(logits), act_type='softrelu')
        loss = F.relu(logits) - logits * target + softplus
        return F.mean(loss if weights is None else F.broadcast_mul(loss, weights.expand_dims(0)), axis=-1)
