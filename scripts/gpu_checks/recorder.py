"""What a check finds, a line of JSON for each finding, so that nothing is lost when its process is ended."""

import json
import math
import traceback
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Iterator, Optional


class Skipped(Exception):
    """A check, or a part of one, cannot be done on this machine; the message is the reason."""


class Recorder:
    """Writes the findings of a check.

    Args:
        path: the file, appended to.
    """

    def __init__(self, path: Path):
        self._path = path

    def _write(self, **finding: Any) -> None:
        with open(self._path, 'a', encoding='utf-8') as file:
            file.write(json.dumps(finding) + '\n')

    def figure(self, name: str, value: float, limit: Optional[float] = None, unit: str = '') -> None:
        """Record a figure; the check fails if it is above the limit or not a number.

        Args:
            name: what was measured.
            value: the figure.
            limit: the largest value that passes; default: the figure is only stated.
            unit: its unit.
        """
        value = float(value)
        ok = limit is None or value <= limit
        # JSON has neither NaN nor infinity
        self._write(figure=name, value=value if math.isfinite(value) else str(value), limit=limit, unit=unit, ok=ok)

    def require(self, name: str, condition: bool, found: str) -> None:
        """Record that something holds or not.

        Args:
            name: what should hold.
            condition: whether it does.
            found: what was found.
        """
        self._write(figure=name, value=found, limit=None, unit='', ok=bool(condition))

    def note(self, text: str) -> None:
        """Record a sentence for the reader."""
        self._write(note=text)

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Record an error in the block as a failure of this part, and go on after it."""
        try:
            yield
        except Skipped as reason:
            self.note(f'{name}: left out: {reason}')
        except Exception:
            self.failure(name)

    def failure(self, name: str) -> None:
        """Record the current exception."""
        self._write(failure=name, traceback=traceback.format_exc())

    def skipped(self, reason: str) -> None:
        """Record that the check cannot be done here."""
        self._write(skipped=reason)
