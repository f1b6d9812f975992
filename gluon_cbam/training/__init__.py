"""Training: ``config`` says what, ``run`` does it, ``folder`` and ``checkpoints`` keep what comes of it.

``config`` imports neither mxnet nor numpy, so that the command line can be built from it.
"""

from .config import TrainConfig

__all__ = ['TrainConfig', 'resumed_settings', 'train']


def train(config, **options):
    """Train a network: see :func:`gluon_cbam.training.run.train`."""
    from .run import train as run

    return run(config, **options)


def resumed_settings(given):
    """The settings of a run to continue, under those given now: see :func:`.folder.resumed_settings`."""
    from .folder import resumed_settings as settings

    return settings(given)
