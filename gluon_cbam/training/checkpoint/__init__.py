"""The files of a run: the run directory, checkpoints, the training state, and the fingerprint that resuming compares.

It may import ``training.setup``, ``training.config``, ``training.parameters``, ``training.sharding``, ``tasks``,
``weights``, ``compat`` and ``common``.
"""
