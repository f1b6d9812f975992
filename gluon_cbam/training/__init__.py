"""Training: ``config`` says what, ``layers`` from where, ``run`` does it, ``folder`` and ``checkpoints`` keep the rest.

``config`` imports neither mxnet nor numpy, so that the command line can be built from it.
"""

from .config.train_config import TrainConfig

__all__ = ['TrainConfig', 'resolve', 'train']


def train(config, **options):
    """Train a network: see :func:`gluon_cbam.training.loop.trainer.train`."""
    from .loop.trainer import train as run

    return run(config, **options)


def resolve(given, config_file=None):
    """Settings from a recipe, a file, the run to continue and those given: see :func:`.layers.resolve`."""
    from .config.resolution import resolve as layered

    return layered(given, config_file)
