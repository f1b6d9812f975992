"""Measurements of speed and memory, which ``cbam bench`` runs.

An *engine* (this package, gluoncv2, PyTorch, ...) runs a *workload* (inference, a training step, ...) that a
:class:`~.context.BenchmarkContext` describes, in a *benchmark process*: thread settings, environment variables and peak
memory are its own. :mod:`.child` is that process, :mod:`.process` the handle of the measuring one, :mod:`.engines` the
table of workloads. The processes make their repetitions in turn, so that a busy moment of the machine affects all of
them, and their medians are compared. A repetition waits once, at its end, for all that it queued.

May import :mod:`gluon_cbam.training`, :mod:`gluon_cbam.inference` and the packages below them.
"""

MODES = ('train', 'validate', 'predict', 'loader')
"""The modes of ``cbam bench``."""
