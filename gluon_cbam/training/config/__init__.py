"""Settings of a training run: what there is to set, where values come from, and the configuration they make.

:mod:`.settings` describes a setting, :mod:`.train_config` has them all, :mod:`.resolution` merges defaults, recipes,
files and flags, and :mod:`.run_config` is the configuration of a run that is under way. It imports ``common`` and the
names in ``tasks``, and neither mxnet nor numpy, so that the command line can be made from it.
"""
