"""Settings of a training run: their declaration, the sources of their values, and the resolved configuration.

:mod:`.settings` describes a setting, :mod:`.train_config` has them all, :mod:`.resolution` merges defaults, recipes,
files and flags, and :mod:`.run_config` is the configuration of a running run. It imports ``common`` and the
names in ``tasks``, and neither mxnet nor numpy, so that the command line can be made from it.
"""
