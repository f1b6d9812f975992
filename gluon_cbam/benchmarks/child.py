"""The benchmark process: ``python -m gluon_cbam.benchmarks.child CONTEXT``, with a context as JSON.

It writes a line of JSON when the workload is ready. For each line that it reads, it runs a repetition and writes its
result as a line of JSON. It exits at the end of its input. Output of libraries is redirected to standard error.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any, Dict, TextIO

from gluon_cbam.common import memory
from gluon_cbam.common.errors import DependencyError
from gluon_cbam.compat.platforms import missing_package

from .context import BenchmarkContext
from .engines import build, instructions
from .reference import check_outputs
from .workload import repetition


def main() -> int:
    """Run repetitions until the input ends.

    Returns:
        The exit code: 1 after an error, which the last line of the output describes.
    """
    output = os.fdopen(os.dup(sys.stdout.fileno()), 'w', encoding='utf-8')
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    try:
        _serve(BenchmarkContext(**json.loads(sys.argv[1])), output)
    except ModuleNotFoundError as error:
        _send(output, {'error': DependencyError.__name__, 'message': missing_package(error.name)})
        return 1
    except Exception as error:
        _send(output, {'error': type(error).__name__, 'message': _last_line(error)})
        return 1
    return 0


def _serve(context: BenchmarkContext, output: TextIO) -> None:
    with build(context) as (workload, facts):
        if context.reference:
            facts['difference'] = check_outputs(context, workload)
        _send(output, {'images': workload.images, 'device': workload.device, **facts, **workload.details})
        for _ in sys.stdin:
            seconds = repetition(workload, context.calls)
            _send(output, {'seconds': seconds, 'peak_bytes': memory.peak(), 'instructions': instructions()})


def _send(output: TextIO, value: Dict[str, Any]) -> None:
    output.write(json.dumps(value) + '\n')
    output.flush()


def _last_line(error: Exception) -> str:
    """The last line of a message; messages of MXNet begin with a stack trace."""
    lines = str(error).strip().splitlines()
    return (lines or [type(error).__name__])[-1]


if __name__ == '__main__':
    sys.exit(main())
