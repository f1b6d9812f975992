"""What a run reports: metrics, throughput, the log, TensorBoard events, curves, comparisons of runs.

It may import ``training.checkpoint``, ``training.setup``, ``training.config`` and ``tasks``.
"""
