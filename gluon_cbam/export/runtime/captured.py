"""What libraries print while they are loaded: the reason of a failure is often found there only."""

from __future__ import annotations

import io
import os
import re
import sys
import tempfile
from contextlib import contextmanager, redirect_stdout, suppress
from typing import Iterator, List

_STDERR = 2
_REASON = re.compile(r'.*(?:\[ERROR\]|FAIL :|\] )\s*(.+)')
_COLOR = re.compile(r'\x1b\[[0-9;]*m')


@contextmanager
def captured() -> Iterator[List[str]]:
    """Collect what Python prints, and what any library writes to standard error, until the block ends.

    Yields:
        A list that holds the lines after the block. They are shown on standard error if the block raises nothing.
    """
    lines: List[str] = []
    printed = io.StringIO()
    failed = True
    with tempfile.TemporaryFile() as file:
        sys.stderr.flush()
        kept = os.dup(_STDERR)
        os.dup2(file.fileno(), _STDERR)
        try:
            with redirect_stdout(printed):
                yield lines
            failed = False
        finally:
            os.dup2(kept, _STDERR)
            os.close(kept)
            file.seek(0)
            written = printed.getvalue() + file.read().decode(errors='replace')
            lines += [line for line in _COLOR.sub('', written).splitlines() if line.strip()]
    if not failed:
        for line in lines:
            with suppress(OSError, ValueError):
                print(line, file=sys.stderr)


def reason_in(lines: List[str]) -> str:
    """The first error in captured lines: of ONNX Runtime's log its message, otherwise a line with ``Failed``.

    Args:
        lines: see :func:`captured`.

    Returns:
        The text on one line, or ''.
    """
    for line in lines:
        if '[E:onnxruntime' in line or line.startswith('Failed'):
            found = _REASON.match(line)
            return (found.group(1) if found else line)[:300].strip()
    return ''
