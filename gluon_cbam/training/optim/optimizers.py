"""The optimizers by name, on MXNet's update operators and a compiled one of SGD.

MXNet's own classes are used where they do what their papers say.
MXNet 1.9.1 has no class for AdamW, only its operators. Its NAG computes the weight decay of the momentum from the
weight that it has just written. Its LARS scales the momentum by the change of the learning rate, but counts a change
only for the first few parameters of the first device, so that the devices' weights diverge; and it recognizes biases,
gammas and betas, which it must not scale, by names that Gluon's trainer does not give it.

SGD, NAG and LARS keep the learning rate inside the momentum, ``v = m v + lr (g + wd w)``, as MXNet does: after a change
of the learning rate, earlier gradients keep theirs. PyTorch multiplies the momentum by the new learning rate.
"""

from __future__ import annotations

import math
from typing import Any, Callable, Dict, Iterable, List, NamedTuple, Tuple

import mxnet as mx

from gluon_cbam.ops.backend import native_operators
from gluon_cbam.training.config.train_config import TrainConfig

_ALL = 1 << 30  # arrays that an optimizer takes at once


class SGD(mx.optimizer.SGD):
    """Stochastic gradient descent with momentum: ``v = m v - lr (g + wd w); w = w + v``; one compiled operator on CPUs.

    Args:
        **kwargs: arguments of :class:`mxnet.optimizer.SGD`.
    """

    aggregate_num: int

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        self._together = self.aggregate_num  # arrays of a kernel of MXNet
        if self._together:
            self.aggregate_num = _ALL

    def _update_impl(self, indices: Any, weights: Any, grads: Any, states: Any, multi_precision: bool = False) -> None:
        """Update one parameter or a list of them; see :meth:`mxnet.optimizer.SGD.update`."""
        if not isinstance(indices, (list, tuple)):
            super()._update_impl(indices, weights, grads, states, multi_precision)
            return
        operators = native_operators(weights[0]) if self.momentum and not self.clip_gradient else None
        if operators is None:
            for first in range(0, len(indices), self._together):
                part = (each[first : first + self._together] for each in (indices, weights, grads, states))
                super()._update_impl(*part, multi_precision)
            return
        self._update_count(indices)
        rates = list(zip(self._get_lrs(indices), self._get_wds(indices)))
        settings = {
            (lr, wd): mx.nd.array([lr, self.momentum, self.rescale_grad, wd], dtype=weights[0].dtype)
            for lr, wd in set(rates)
        }
        for weight, grad, state, rate in zip(weights, grads, states, rates):
            operators.sgd_momentum(weight, grad, state, settings[rate], out=weight)


class NAG(mx.optimizer.NAG):
    """Nesterov's accelerated gradient: ``d = g + wd w; v = m v + lr d; w = w - m v - lr d``."""

    def update(self, index: int, weight: mx.nd.NDArray, grad: mx.nd.NDArray, state: mx.nd.NDArray) -> None:
        """Update one parameter; see :meth:`mxnet.optimizer.Optimizer.update`."""
        self._update_count(index)
        decayed = grad * self.rescale_grad + self._get_wd(index) * weight
        # with its own wd, the operator would read the weight after writing it: both are one array
        mx.nd.nag_mom_update(weight, decayed, state, out=weight, lr=self._get_lr(index), momentum=self.momentum)

    update_multi_precision = update


class AdamW(mx.optimizer.Optimizer):
    """Adam with decoupled weight decay (Loshchilov and Hutter, ICLR 2019).

    As in PyTorch, the weight decay is multiplied by the learning rate:
    ``w = w - lr (m' / (sqrt(v') + epsilon) + wd w)``, where m' and v' are the bias-corrected moments.

    Args:
        beta1: decay of the mean of the gradients.
        beta2: decay of the mean of their squares.
        epsilon: added to the square root.
        **kwargs: further arguments of :class:`mxnet.optimizer.Optimizer`.
    """

    def __init__(self, beta1: float, beta2: float, epsilon: float, **kwargs: Any):
        super().__init__(**kwargs)
        self.beta1, self.beta2, self.epsilon = beta1, beta2, epsilon
        self.aggregate_num = 45  # arrays per kernel; the operator takes at most 50

    def create_state(self, index: int, weight: mx.nd.NDArray) -> Tuple[mx.nd.NDArray, mx.nd.NDArray]:
        """First and second moment of a parameter, zero."""
        return mx.nd.zeros_like(weight), mx.nd.zeros_like(weight)

    def update(
        self,
        index: List[int],
        weight: List[mx.nd.NDArray],
        grad: List[mx.nd.NDArray],
        state: List[Tuple[mx.nd.NDArray, mx.nd.NDArray]],
    ) -> None:
        """Update several parameters by one kernel; see :meth:`mxnet.optimizer.Optimizer.update`."""
        self._update_count(index)
        root = math.sqrt(1 - self.beta2 ** self._index_update_count[index[0]])
        bias = 1 - self.beta1 ** self._index_update_count[index[0]]
        # the operator: w = w - eta (lr m / (sqrt(v) + epsilon) + wd w), without bias correction
        mx.nd.contrib.multi_adamw_update(
            weight, grad, *zip(*state), rescale_grad=self.rescale_grad, out=weight,
            lrs=[root / bias] * len(index), etas=self._get_lrs(index), wds=self._get_wds(index),
            beta1=self.beta1, beta2=self.beta2, epsilon=self.epsilon * root,
        )  # fmt: skip

    update_multi_precision = update


def _momentum(config: TrainConfig) -> Dict[str, float]:
    return {'momentum': config.momentum}


def _adaptive(config: TrainConfig) -> Dict[str, float]:
    return {'beta1': config.beta1, 'beta2': config.beta2, 'epsilon': config.epsilon}


def _lars(config: TrainConfig) -> Dict[str, float]:
    return {**_momentum(config), 'momentum_correction': False}


class _Row(NamedTuple):
    """An optimizer: its class, and its arguments other than learning rate and weight decay."""

    kind: Callable[..., mx.optimizer.Optimizer]
    arguments: Callable[[TrainConfig], Dict[str, float]]


_OPTIMIZERS: Dict[str, _Row] = {
    'sgd': _Row(SGD, _momentum),
    'nag': _Row(NAG, _momentum),
    'adam': _Row(mx.optimizer.Adam, _adaptive),  # Kingma and Ba, ICLR 2015; the weight decay is part of the gradient
    'adamw': _Row(AdamW, _adaptive),
    'lamb': _Row(mx.optimizer.LAMB, _adaptive),  # You et al., ICLR 2020
    'lars': _Row(mx.optimizer.LARS, _lars),  # You et al., arXiv:1708.03888
}


def create_optimizer(config: TrainConfig, names: Iterable[str]) -> mx.optimizer.Optimizer:
    """Create the optimizer of a configuration.

    Args:
        config: ``optimizer``, ``lr``, ``wd`` and the settings of that optimizer.
        names: the names of the parameters, in the order of the trainer. LARS does not scale those ending in bias, gamma
            or beta.

    Returns:
        The optimizer, as ``gluon.Trainer`` takes it.
    """
    kind, arguments = _OPTIMIZERS[config.optimizer]
    return kind(learning_rate=config.lr, wd=config.wd, param_idx2name=dict(enumerate(names)), **arguments(config))
