"""Updating the weights: optimizers, learning-rate schedule, weight decay, gradient clipping, mixed precision.

:mod:`.update` puts them together into one update per step. It may import ``training.config``, ``training.distributed``,
``training.parameters``, ``training.sharding`` and ``common``.
"""
