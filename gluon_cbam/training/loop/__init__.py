"""The training loop: the step, epochs, validation, random numbers, signals, the dry run.

It may import all of ``training``, and from other packages what :mod:`gluon_cbam.training` states.
"""
