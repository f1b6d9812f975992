"""Settings of a training run: what they are, and where their values come from. Imports neither mxnet nor numpy."""
