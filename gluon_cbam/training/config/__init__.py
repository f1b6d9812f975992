"""Settings of a training run: their declaration, the sources of their values, and the resolved configuration.

:mod:`.train_config` has the settings of every run, :mod:`.task_settings` adds those of a task, :mod:`.resolution`
merges defaults, recipes, files and flags, and :mod:`.run_config` is the resolved configuration of a run. It
imports ``common`` and ``tasks``, and neither mxnet nor numpy, so that the command line can be made from it.
"""

from gluon_cbam.compat.renamed import renamed_attributes

__getattr__ = renamed_attributes(
    __name__,
    {
        'SETTINGS': 'training.config.train_config.SETTINGS',
        'TrainConfig': 'training.config.train_config.TrainConfig',
    },
)
