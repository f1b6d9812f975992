"""Runs the code of a documentation page, in order, and compares what it prints: ``python tests/tutorials.py PAGE``.

* ```` ```python ```` blocks share one namespace. A ```` ```text ```` block right after one is what it prints.
* In ```` ```console ```` blocks, ``$`` begins a command; the lines after it are what it prints on both streams. A
  comment ``# exit code N`` says how it ends; without one it ends with 0. Where no lines follow, it may print anything.

``...`` in what is expected stands for anything, and white space for any other.
"""

from __future__ import annotations

import contextlib
import doctest
import io
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Iterator, List, NamedTuple, Optional

_BLOCK = re.compile(r'^```(\w*)\n(.*?)^```$', re.MULTILINE | re.DOTALL)
_EXIT_CODE = re.compile(r'\s+# exit code (\d+)$')


class Step(NamedTuple):
    """Code, or a command, and what it prints; None for anything."""

    kind: str
    text: str
    expected: Optional[str]
    line: int


def steps(page: Path) -> Iterator[Step]:
    """Yields what a page runs."""
    text = page.read_text(encoding='utf-8')
    blocks = list(_BLOCK.finditer(text))
    for block, following in zip(blocks, [*blocks[1:], None]):
        kind, code = block.groups()
        line = text.count('\n', 0, block.start()) + 2
        if kind == 'python':
            printed = following.group(2) if following and following.group(1) == 'text' else ''
            yield Step('python', code, printed, line)
        elif kind == 'console':
            for command, output in commands(code):
                yield Step('console', command, output or None, line)


def commands(block: str) -> Iterator[tuple]:
    """Yields (command, the lines after it) of a console block."""
    joined = block.replace('\\\n', ' ')
    for part in re.split(r'^\$ ', joined, flags=re.MULTILINE)[1:]:
        command, _, output = part.partition('\n')
        yield ' '.join(command.split()), output


def check(expected: Optional[str], printed: str, what: str) -> None:
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    if expected is not None and not doctest.OutputChecker().check_output(expected, printed, flags):
        sys.exit(f'{what}\nexpected:\n{expected}\nprinted:\n{printed}')


def run_command(command: str) -> tuple:
    """(output, exit code expected, exit code) of a command line."""
    wanted = int(''.join(_EXIT_CODE.findall(command)) or 0)
    words: List[str] = shlex.split(_EXIT_CODE.sub('', command))
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=600)
    return done.stdout, wanted, done.returncode


def main(page: Path) -> None:
    namespace = {'__name__': '__main__'}
    for step in steps(page):
        what = f'{page.name}:{step.line}: {step.text}'
        if step.kind == 'console':
            printed, wanted, code = run_command(step.text)
            if code != wanted:
                sys.exit(f'{what}\nended with {code}:\n{printed}')
        else:
            output = io.StringIO()
            with contextlib.redirect_stdout(output):
                exec(compile(step.text, f'{page.name}:{step.line}', 'exec'), namespace)
            printed = output.getvalue()
        check(step.expected, printed, what)


if __name__ == '__main__':
    main(Path(sys.argv[1]))
