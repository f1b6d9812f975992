"""The training loop: setup, the step, epochs, signals, the dry run."""
