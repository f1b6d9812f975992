"""The process of a side: ``python -m gluon_cbam.benchmarks.child SPEC``, SPEC a :class:`.Spec` as JSON.

It says a line of JSON when it is ready, does a repetition for each line that it reads, says a line about it, and ends
with its input. What libraries print goes to standard error.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any, Dict, TextIO

from gluon_cbam.common import memory

from .context import Spec
from .timing import repetition
from .workloads import build


def main() -> int:
    """Serve until the input ends; returns the exit code."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), 'w', encoding='utf-8')
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    try:
        _serve(Spec(**json.loads(sys.argv[1])), answers)
    except Exception as error:
        _say(answers, {'error': type(error).__name__, 'message': _line(error)})
        return 1
    return 0


def _serve(spec: Spec, answers: TextIO) -> None:
    with build(spec) as (subject, facts):
        _say(answers, {'images': subject.images, 'device': subject.device, **facts, **subject.details})
        for _ in sys.stdin:
            seconds = repetition(subject, spec.calls)
            _say(answers, {'seconds': seconds, 'peak_bytes': memory.peak()})


def _say(answers: TextIO, what: Dict[str, Any]) -> None:
    answers.write(json.dumps(what) + '\n')
    answers.flush()


def _line(error: Exception) -> str:
    """What happened, in one line: MXNet's messages begin with a stack trace."""
    lines = str(error).strip().splitlines()
    return (lines or [type(error).__name__])[-1]


if __name__ == '__main__':
    sys.exit(main())
