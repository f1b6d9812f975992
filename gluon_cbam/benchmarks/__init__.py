"""Measurements of speed and memory, which ``cbam bench`` runs.

An *engine* (this package, gluoncv2, PyTorch, ...) runs a *workload* (inference, a training step, ...) that a
:class:`~.context.BenchmarkContext` describes, in a *benchmark process* with its own thread settings, environment
variables and peak memory. :mod:`.child` is the program of that process, :mod:`.process` starts and measures it, and
:mod:`.engines` is the table of workloads. The processes run their repetitions in turn, so that other load on the
machine affects all of them alike, and their medians are compared. A repetition waits once, at its end, for all queued
work.

May import :mod:`gluon_cbam.export`, :mod:`gluon_cbam.training`, :mod:`gluon_cbam.inference` and the packages below
them.
"""

MODES = ('train', 'validate', 'predict', 'loader')
"""The modes of ``cbam bench``."""
