"""The learning rate of each step, by GluonCV's schedulers."""

from __future__ import annotations

from typing import Callable

from gluon_cbam.training.config.train_config import TrainConfig


def schedule(config: TrainConfig, steps_per_epoch: int) -> Callable[[int], float]:
    """The learning rate as a function of the step, from 0.

    Args:
        config: ``lr``, ``lr_mode``, ``epochs`` and what belongs to them.
        steps_per_epoch: steps an epoch.
    """
    from gluoncv.utils import LRScheduler, LRSequential

    warmup = int(round(config.warmup_epochs * steps_per_epoch))
    steps = config.epochs * steps_per_epoch
    milestones = [int(round(epoch * steps_per_epoch)) - warmup for epoch in config.lr_step_epochs]
    main = LRScheduler(
        config.lr_mode,
        base_lr=config.lr,
        target_lr=0,
        niters=max(2, steps - warmup),  # GluonCV divides by niters - 1
        step_iter=milestones,
        step_factor=config.lr_decay,
    )
    if warmup < 2:
        return main
    return LRSequential([LRScheduler('linear', base_lr=0, target_lr=config.lr, niters=warmup), main])
