"""The one error of the zoo."""

from __future__ import annotations


class ZooError(ValueError):
    """A card or a weight that is not there, or not what it says.

    Args:
        message: one line.
        exit_code: 2 when asked for what does not exist, 4 when damaged, 5 when the network or the disk failed.
    """

    def __init__(self, message: str, exit_code: int = 4):
        super().__init__(message)
        self.exit_code = exit_code
