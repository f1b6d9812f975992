"""Running checks, each in a process group of its own that is ended when its time is up."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Dict, List

from .setting import Setting
from .table import Check

SCRIPTS = Path(__file__).resolve().parents[1]
_PATH = [SCRIPTS, SCRIPTS.parent, SCRIPTS.parent / 'tests', SCRIPTS.parent / 'tests' / 'ops']
_TAIL = 6000  # characters of standard error in a report
PASSED, FAILED, SKIPPED, TIMED_OUT = 'passed', 'FAILED', 'left out', 'TIMED OUT'
BAD = FAILED, TIMED_OUT


def run(check: Check, gpus: Any, quick: bool, seconds: float) -> Dict[str, Any]:
    """Run a check.

    Args:
        check: its row.
        gpus: see :class:`.setting.Setting`.
        quick: see :class:`.setting.Setting`.
        seconds: after which it is ended.

    Returns:
        Its result as values for JSON: outcome, seconds, figures, notes, failures with tracebacks, and of a process that
        failed the end of what it wrote to standard error.
    """
    with tempfile.TemporaryDirectory(prefix='gpu-check-') as name:
        folder, findings, errors = Path(name, 'work'), Path(name, 'findings.jsonl'), Path(name, 'errors')
        folder.mkdir()
        setting = Setting(gpus, quick, str(folder))
        command = [sys.executable, '-W', 'ignore', '-m', 'gpu_checks.child', check.function, setting.as_json(),
                   str(findings), str(seconds)]  # fmt: skip
        began = time.monotonic()
        code = _run(command, _environment(check), errors, seconds)
        elapsed = time.monotonic() - began
        return _result(check, code, elapsed, seconds, _lines(findings), errors.read_text(errors='replace'))


def _environment(check: Check) -> Dict[str, str]:
    path = [*map(str, _PATH), *filter(None, [os.environ.get('PYTHONPATH')])]
    return {**os.environ, **dict(check.environment), 'PYTHONPATH': os.pathsep.join(path)}


def _run(command: List[str], environment: Dict[str, str], errors: Path, seconds: float) -> Any:
    """The exit code; None if the process and its children had to be ended."""
    with open(errors, 'wb') as file:
        process = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=file, stderr=file, start_new_session=True
        )
        try:
            return process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None
        finally:
            _end_group(process)


def _end_group(process: 'subprocess.Popen[bytes]') -> None:
    """End the process, and children of it that still run."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _lines(path: Path) -> List[Dict[str, Any]]:
    """The findings; the process may have been ended inside the last line."""
    lines = path.read_text(encoding='utf-8').split('\n')[:-1] if path.exists() else []
    return [json.loads(line) for line in lines]


def _result(
    check: Check, code: Any, elapsed: float, budget: float, findings: List[Dict[str, Any]], errors: str
) -> Dict[str, Any]:
    figures = [finding for finding in findings if 'figure' in finding]
    failures = [finding for finding in findings if 'failure' in finding]
    skipped = [finding['skipped'] for finding in findings if 'skipped' in finding]
    notes = [finding['note'] for finding in findings if 'note' in finding] + skipped
    outcome = PASSED
    if skipped:
        outcome = SKIPPED
    elif code is None:
        outcome = TIMED_OUT
        notes.append(f'ended after {budget:.0f} seconds; the stacks of its threads are below')
    elif code != 0:
        outcome = FAILED
        notes.append(f'its process ended with exit code {code}')
    elif failures or not figures or not all(figure['ok'] for figure in figures):
        outcome = FAILED
    return {
        'name': check.name, 'subject': check.subject, 'outcome': outcome, 'seconds': round(elapsed, 1),
        'budget_seconds': budget, 'environment': dict(check.environment), 'figures': figures, 'notes': notes,
        'failures': failures, 'standard_error': errors[-_TAIL:] if outcome in BAD else '',
    }  # fmt: skip
