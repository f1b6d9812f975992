"""Targets: what the outputs of a detector should be for the boxes of a batch, computed on the device.

It may import ``models`` and ``common``.
"""
