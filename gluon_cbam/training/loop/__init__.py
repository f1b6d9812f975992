"""The training loop: the step, epochs, random numbers, signals, the dry run. It may import all of ``training``.

From other packages it may import what :mod:`gluon_cbam.training` states.
"""
