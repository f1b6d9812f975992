"""The losses of detectors, a file for each kind, computed on the device and summed over each image.

It may import ``common``, ``models`` and ``tasks.detection.targets``.
"""
