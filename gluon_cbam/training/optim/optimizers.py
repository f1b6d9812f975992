"""The optimizers by name, on MXNet's update operators; MXNet's own classes where they do what their papers say.

MXNet 1.9.1 has no class for AdamW, only its operators. Its NAG takes the weight decay for the momentum from the weight
that it has just written. Its LARS scales the momentum by the change of the rate, but counts a change only for the first
few parameters of the first device, so that devices part; and it knows biases, gammas and betas, which it shall not
scale, by names that Gluon's trainer does not give it.

SGD, NAG and LARS keep the rate inside the momentum, ``v = m v + rate (g + wd w)``, as MXNet does: after a change of the
rate the old steps go on with their own. PyTorch multiplies by the new rate.
"""

from __future__ import annotations

import math
from typing import Callable, Dict, Sequence

import mxnet as mx

from gluon_cbam.training.config.train_config import TrainConfig


class NAG(mx.optimizer.NAG):
    """Nesterov's accelerated gradient: ``d = g + wd w; v = m v + rate d; w = w - m v - rate d``."""

    def update(self, index, weight, grad, state):
        self._update_count(index)
        decayed = grad * self.rescale_grad + self._get_wd(index) * weight
        # with its own wd, the operator would read the weight after writing it: both are one array
        mx.nd.nag_mom_update(weight, decayed, state, out=weight, lr=self._get_lr(index), momentum=self.momentum)

    update_multi_precision = update


class AdamW(mx.optimizer.Optimizer):
    """Adam with decoupled weight decay (Loshchilov and Hutter, ICLR 2019), as in PyTorch the decay times the rate:
    ``w = w - rate (m' / (sqrt(v') + epsilon) + wd w)``, m' and v' free of their bias.

    Args:
        beta1: of the mean of the gradients.
        beta2: of the mean of their squares.
        epsilon: added to the root.
        **kwargs: of MXNet's Optimizer.
    """

    def __init__(self, beta1: float, beta2: float, epsilon: float, **kwargs):
        super().__init__(**kwargs)
        self.beta1, self.beta2, self.epsilon = beta1, beta2, epsilon
        self.aggregate_num = 45  # arrays a kernel; the operator takes at most 50

    def create_state(self, index, weight):
        return mx.nd.zeros_like(weight), mx.nd.zeros_like(weight)

    def update(self, index, weight, grad, state):
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


def _momentum(config: TrainConfig) -> dict:
    return {'momentum': config.momentum}


def _adaptive(config: TrainConfig) -> dict:
    return {'beta1': config.beta1, 'beta2': config.beta2, 'epsilon': config.epsilon}


def _lars(config: TrainConfig) -> dict:
    return {**_momentum(config), 'momentum_correction': False}


# name -> its class, and its arguments beside the rate and the weight decay
_OPTIMIZERS: Dict[str, tuple] = {
    'sgd': (mx.optimizer.SGD, _momentum),
    'nag': (NAG, _momentum),
    'adamw': (AdamW, _adaptive),
    'lamb': (mx.optimizer.LAMB, _adaptive),  # You et al., ICLR 2020
    'lars': (mx.optimizer.LARS, _lars),  # You et al., arXiv:1708.03888
}


def make(config: TrainConfig, names: Sequence[str]) -> mx.optimizer.Optimizer:
    """The optimizer of a configuration.

    Args:
        config: ``optimizer`` and what belongs to it.
        names: of the parameters, in the order of the trainer. LARS leaves those ending in bias, gamma or beta unscaled.
    """
    kind: Callable[..., mx.optimizer.Optimizer]
    kind, arguments = _OPTIMIZERS[config.optimizer]
    return kind(learning_rate=config.lr, wd=config.wd, param_idx2name=dict(enumerate(names)), **arguments(config))
