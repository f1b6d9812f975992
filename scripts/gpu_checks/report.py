"""The report: ``report.json`` for programs and ``report.md`` for people, with the same content."""

import json
from pathlib import Path
from typing import Any, Dict, List

from gluon_cbam.common.files import atomic_path

from .process import BAD

NAMES = 'report.json', 'report.md'


def write(report: Dict[str, Any], folder: Path) -> None:
    """Write both files.

    Args:
        report: ``machine``, ``devices``, ``seconds`` and the results of the checks.
        folder: made if it does not exist; files of an earlier report are replaced.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in zip(NAMES, (json.dumps(report, indent=1) + '\n', as_markdown(report))):
        with atomic_path(folder / name) as part:
            Path(part).write_text(text, encoding='utf-8')


def as_markdown(report: Dict[str, Any]) -> str:
    """The report as Markdown.

    Args:
        report: see :func:`write`.

    Returns:
        The machine, a table of the checks, then the figures, notes and tracebacks of each.
    """
    checks = report['checks']
    lines = ['# GPU check of gluon_cbam', '', verdict(report), '', '## Machine', '', *_machine(report)]
    lines += ['', '## Checks', '', '| check | outcome | seconds | what |', '|---|---|---|---|']
    lines += [
        f'| {c["name"]} | {c["outcome"]} | {c["seconds"]} of {c["budget_seconds"]:g} | {c["subject"]} |' for c in checks
    ]
    for check in checks:
        lines += ['', *_details(check)]
    return '\n'.join(lines) + '\n'


def verdict(report: Dict[str, Any]) -> str:
    """One line: how many checks passed, failed and were left out, and on what."""
    outcomes = [check['outcome'] for check in report['checks']]
    counts = ', '.join(f'{outcomes.count(each)} {each}' for each in sorted(set(outcomes), reverse=True))
    return f'{counts}, on {report["devices"]}, in {report["seconds"]:.0f} seconds'


def has_failed(report: Dict[str, Any]) -> bool:
    """Whether a check failed or was ended."""
    return any(check['outcome'] in BAD for check in report['checks'])


def _machine(report: Dict[str, Any]) -> List[str]:
    lines = []
    for name, value in report['machine'].items():
        parts = [f'{key} {each}' for key, each in value.items()] if isinstance(value, dict) else value
        lines.append(f'- {name}: {parts if isinstance(parts, str) else "; ".join(parts) or "none"}')
    return lines


def _details(check: Dict[str, Any]) -> List[str]:
    lines = [f'## {check["name"]}: {check["outcome"]}', '', *(f'- {note}' for note in check['notes'])]
    if check['figures']:
        lines += ['', '| figure | value | limit | |', '|---|---|---|---|', *map(_row, check['figures'])]
    for failure in check['failures']:
        lines += ['', f'{failure["failure"]}:', '', *_block(failure['traceback'])]
    if check['standard_error'].strip():
        lines += ['', 'The end of standard error:', '', *_block(check['standard_error'])]
    return lines


def _row(figure: Dict[str, Any]) -> str:
    value, limit = figure['value'], figure['limit']
    text = f'{value:.4g}' if isinstance(value, float) else str(value).replace('|', r'\|').replace('\n', ' ')
    bound = '' if limit is None else f'{limit:g}'
    return f'| {figure["figure"]} | {text} {figure["unit"]} | {bound} | {"" if figure["ok"] else "FAILED"} |'


def _block(text: str) -> List[str]:
    return ['~~~', text.rstrip().replace('~~~', '~ ~ ~'), '~~~']
