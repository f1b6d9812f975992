"""What a run keeps: the run directory, checkpoints, the training state, and the fingerprint that resuming compares.

It may import ``training.setup``, ``training.config``, ``training.parameters``, ``tasks`` and ``weights``.
"""
