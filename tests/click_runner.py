"""Runs commands in this process, with what they print and what they log apart."""

import inspect

from click.testing import CliRunner


def runner():
    """A runner whose results have ``stdout`` and ``stderr``, which click before 8.2 mixes unless it is told not to."""
    mixed = 'mix_stderr' in inspect.signature(CliRunner).parameters
    return CliRunner(mix_stderr=False) if mixed else CliRunner()
