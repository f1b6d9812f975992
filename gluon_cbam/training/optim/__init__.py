"""Optimizers, learning rate schedules, weight decay, mixed precision, and the update of the weights."""
