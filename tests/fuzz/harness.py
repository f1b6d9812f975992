"""Starts the process that reads damaged files, again after a case that ended it, and collects what came of each."""

import json
import os
import select
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

TESTS = Path(__file__).resolve().parents[1]
SILENCE = 300  # seconds without an answer after which a process counts as hanging; its CPU time is limited to much less


class Outcome(NamedTuple):
    """What came of a case; error, code and message of an exception, or how the process ended."""

    case: int
    error: str
    code: int
    message: str
    seconds: float
    bytes: int
    file: str


class Fuzzing:
    """A process that reads damaged files.

    Args:
        folder: a folder for its files.
        table: the module with the readers.
    """

    def __init__(self, folder, table='fuzz.readers'):
        self._folder, self._table, self._process = folder, table, None

    def run(self, reader, cases):
        """Run the cases of a reader -> outcomes."""
        found, first = [], 0
        while first < cases:
            began = None
            self._send([reader, first, cases])
            for answer in self._answers():
                if 'begin' in answer:
                    began = answer['begin']
                elif 'case' in answer:
                    found.append(Outcome(**answer))
                    began = None
                else:
                    return found
            code = self._process.wait()
            self._process = None
            log = (self._folder / 'stderr').read_text(errors='replace')[-500:]
            assert began is not None, f'the process ended before a case ({code}): {log}'
            found.append(Outcome(began, 'ended', code, log, 0, 0, ''))
            first = began + 1
        return found

    def close(self):
        """End the process."""
        if self._process:
            self._process.stdin.close()
            self._process.wait()

    def _send(self, job):
        if self._process is None:
            environment = {**os.environ, 'PYTHONPATH': os.pathsep.join([str(TESTS), str(TESTS.parent)])}
            environment.update(OMP_NUM_THREADS='1', OMP_WAIT_POLICY='passive', PYTHONFAULTHANDLER='1')
            with open(self._folder / 'stderr', 'w') as log:
                self._process = subprocess.Popen(
                    [sys.executable, str(TESTS / 'fuzz' / 'child.py'), str(self._folder), self._table],
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, env=environment,
                )  # fmt: skip
        self._process.stdin.write((json.dumps(job) + '\n').encode())
        self._process.stdin.flush()

    def _answers(self):
        """The answers until the process ends or is silent."""
        pending, stream = b'', self._process.stdout
        while select.select([stream], [], [], SILENCE)[0]:
            data = os.read(stream.fileno(), 1 << 16)
            if not data:
                return
            *lines, pending = (pending + data).split(b'\n')
            yield from map(json.loads, lines)
        self._process.kill()
