"""Weights of a run made public, and published weights scored here: :mod:`.publish`, :mod:`.verify`."""
