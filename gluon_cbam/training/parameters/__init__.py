"""Parameters of a network in training: selection by name, freezing, initialization, EMA, BatchNorm over devices.

It may import ``training.distributed``, ``pretrained``, ``models`` and ``common``.
"""
