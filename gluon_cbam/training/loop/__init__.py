"""The training loop: the step, epochs, random numbers, signals, the dry run. It may import all of ``training``."""
