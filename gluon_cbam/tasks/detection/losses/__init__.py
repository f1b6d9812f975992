"""The losses of detectors, computed on the device and summed over each image. It may import ``common``."""
