"""The learning rate of each step: linear warm-up, then a step or a cosine schedule (He et al., 2019, section 3.1)."""

from __future__ import annotations

from math import cos, pi
from typing import Callable

from gluon_cbam.training.config.run_config import RunConfig


def schedule(config: RunConfig, steps_per_epoch: int) -> Callable[[int], float]:
    """The learning rate as a function of the step.

    Warm-up rises linearly from 0 to ``lr`` in its last step; the main schedule takes the remaining steps. The
    values equal those of GluonCV's ``LRSequential`` of two ``LRScheduler`` to the last bit, so that runs of earlier
    versions, which used these, resume with the same rates.

    Args:
        config: ``lr``, ``lr_mode``, ``lr_step_epochs`` or ``lr_steps``, ``lr_decay``, ``lr_power``,
            ``epochs`` and ``warmup_epochs``.
        steps_per_epoch: optimizer steps in an epoch.

    Returns:
        A function of the step, counted from 0; steps after the last one have its rate.
    """
    lr, mode, decay = config.lr, config.lr_mode, config.lr_decay
    warmup = int(round(config.warmup_epochs * steps_per_epoch))
    last = max(2, config.epochs * steps_per_epoch - warmup) - 1  # of the main schedule
    steps = config.lr_steps or [epoch * steps_per_epoch for epoch in config.lr_step_epochs]
    milestones = [int(round(step)) - warmup for step in steps]
    first = warmup if warmup >= 2 else 0  # of the main schedule: one step does not make a line

    def rate(step: int) -> float:
        if step < first:
            return lr - lr * (1 - max(0, step) / (first - 1))
        done = min(max(0, step - first), last)
        if mode == 'cosine':
            return lr * ((1 + cos(pi * done / last)) / 2)
        if mode == 'poly':
            return lr * (1 - done / last) ** config.lr_power
        return lr * decay ** sum(milestone <= done for milestone in milestones)

    return rate
