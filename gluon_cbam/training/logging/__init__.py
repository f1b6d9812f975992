"""The reports of a run: metrics, throughput, the log, TensorBoard events, curves, comparisons of runs.

It may import ``training.checkpoint``, ``training.setup``, ``training.config``, ``tasks`` and ``common``.
"""
