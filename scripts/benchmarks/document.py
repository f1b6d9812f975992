"""The files of the benchmark table: JSON of the measurements, and Markdown made from the JSON."""

from __future__ import annotations

import datetime
import platform
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional

from gluon_cbam.benchmarks.report import processor
from gluon_cbam.common.documents import read_json
from gluon_cbam.common.files import write_json, write_text

from .detection_rows import DETECTION_ROWS
from .ratios import BYTES, Ratio, Row

_DETECTORS = (
    "GluonCV's detectors are built from its classes, with the maps, anchors, classes and numbers of proposals of ours.",
    "On gluoncv2's backbone they are what runs without this package; on our fused backbone, the rest is compared.",
    "A training step includes the targets, which GluonCV's data loader makes on the CPU, and in ours the normalization",
    'of the images. Faster R-CNN keeps the statistics of every BatchNorm of the backbone, and trains all weights; the',
    'fault by which its outputs differ from call to call on the CPU is mended in GluonCV, too.',
    '',
)
"""What the rows of detectors compare."""
_HINT = 'INFERENCE_PRECISION_HINT'
_INSTRUCTIONS = {'avx512f': 'AVX-512', 'avx2': 'AVX2'}
Document = Dict[str, Any]
"""``rows``: key -> result of :func:`measured` or :func:`missing`; ``growth`` and ``profiles`` if measured."""


def read(path: Path) -> Document:
    """The document of earlier measurements; an empty one without a file."""
    return read_json(path) if path.is_file() else {'rows': {}}


def conditions(threads: int) -> Dict[str, Any]:
    """Date and machine of a measurement."""
    return {
        'date': datetime.date.today().isoformat(),
        'machine': f'{processor()} with {_instructions()}',
        'system': f'{platform.system()} {platform.machine()}, Python {platform.python_version()}',
        'threads': threads,
    }


def _instructions() -> str:
    """The widest vector instructions of the processor, on which the ratios depend."""
    flags = Path('/proc/cpuinfo').read_text().split()
    return next((name for flag, name in _INSTRUCTIONS.items() if flag in flags), 'neither AVX2 nor AVX-512')


def measured(row: Row, outcome: Ratio, threads: int) -> Dict[str, Any]:
    """The record of a row that was measured."""
    return {
        'title': row.title,
        'target': str(row.target),
        'ratio': outcome.ratio,
        'met': row.target.met(outcome.ratio),
        'what': outcome.what,
        'note': outcome.note,
        'repetitions': outcome.repetitions,
        'sides': outcome.sides,
        **conditions(threads),
    }


def missing(row: Row, reason: str) -> Dict[str, Any]:
    """The record of a row that could not be measured."""
    return {'title': row.title, 'target': str(row.target), 'ratio': None, 'reason': reason}


def write(document: Document, rows: Mapping[str, Row], folder: Path) -> None:
    """Write ``benchmark.json`` and ``benchmark.md``, the rows in the order of the table, with its targets."""
    found = document['rows']
    document = {**document, 'rows': {key: _as_of_now(row, found.get(key)) for key, row in rows.items()}}
    write_json(folder / 'benchmark.json', document)
    write_text(folder / 'benchmark.md', as_markdown(document))


def _as_of_now(row: Row, record: Optional[Dict[str, Any]]) -> Dict[str, Any]:
    """The record of a row with its present title and target; one without figures if there is none yet."""
    record = record or missing(row, '')
    record = {**record, 'title': row.title, 'target': str(row.target)}
    return record if record['ratio'] is None else {**record, 'met': row.target.met(record['ratio'])}


def as_markdown(document: Document) -> str:
    """The document as Markdown."""
    rows = document['rows']
    lines = [
        '# Speed and memory',
        '',
        'Every figure is a ratio of medians (of peaks, for memory) of repetitions in turn, in one run on one machine,',
        'float32, 224 x 224 pixels unless the row says otherwise. Each side is a process of its own. Written by',
        '`scripts/benchmark` from [benchmark.json](benchmark.json). At inference, engines have the same weights,',
        'and their outputs are compared first (for figures since December 2026), as by',
        '[`cbam bench --compare`](guide/benchmarks.md).',
        '',
        '| what | target | measured | sides | date |',
        '|---|---|---|---|---|',
        *(_line(row) for row in rows.values()),
        '',
        *_environments(rows),
        '',
        *(_DETECTORS if rows.keys() & DETECTION_ROWS.keys() else ()),
        '`scripts/benchmark` measures all rows, `scripts/benchmark --only KEY,...` some of them and keeps the others:',
        ', '.join(f'`{key}`' for key in rows) + '.',
        '',
    ]
    if 'profiles' in document:
        lines += _profiles(document['profiles'])
    if 'growth' in document:
        lines += _growth(document['growth'])
    return '\n'.join(lines)


def _line(row: Dict[str, Any]) -> str:
    if row['ratio'] is None:
        reason = f': {row["reason"]}' if row['reason'] else ''
        return f'| {row["title"]} | {row["target"]} | not measured{reason} | | |'
    mark = '' if row['met'] else ' (missed)'
    sides = ' / '.join(_side(side, row['what']) for side in row['sides'][:2])
    sides += f' ({row["note"]})' if row.get('note') else ''
    return f'| {row["title"]} | {row["target"]} | **{row["ratio"]:.2f}**{mark} | {sides} | {row["date"]} |'


def _side(side: Dict[str, Any], what: str) -> str:
    if what in BYTES:
        return f'{side[BYTES[what]] / 1e6:.0f} MB'
    return f'{side["milliseconds"]["median"]:.1f} ms'


def _environments(rows: Mapping[str, Dict[str, Any]]) -> List[str]:
    """A line for each set of conditions, with the versions of the packages."""
    found: Dict[str, Dict[str, str]] = {}
    for row in rows.values():
        if row['ratio'] is None:
            continue
        where = f'{row["date"]}: {row["machine"]}{_held(row)}, {row["threads"]} threads, {row["system"]}'
        for side in row['sides']:
            found.setdefault(where, {}).update(_used(side))
    return [
        '- ' + ', '.join([where, *(f'{name} {value}' for name, value in sorted(used.items()))])
        for where, used in found.items()
    ]


def _held(row: Dict[str, Any]) -> str:
    """The environment variables that both sides of a row have."""
    first, *others = [side.get('environment', {}) for side in row['sides']]
    common = [f'{name}={value}' for name, value in first.items() if all(other.get(name) == value for other in others)]
    return f', {" ".join(common)}' if common else ''


def _used(side: Dict[str, Any]) -> Dict[str, str]:
    """What a side was measured with: name -> version, instruction set or precision."""
    hint = side.get('settings', {}).get(_HINT)
    return {
        **side.get('versions', {}),
        **{f'{name} for': value for name, value in side.get('instructions', {}).items()},
        **({"OpenVINO's precision": hint} if hint else {}),
    }


def _profiles(profiles: Dict[str, Any]) -> List[str]:
    lines = [
        '## Time by kinds of operators',
        '',
        'Milliseconds of a call, from the profiler of MXNet. Profiling operators one by one takes a little longer than',
        'an ordinary call. The small convolutions of attention count as convolutions.',
        f'{profiles["date"]}: {profiles["machine"]}, {profiles["threads"]} threads. `scripts/benchmark --profile`.',
    ]
    for title, sides in ((found['title'], found['sides']) for found in profiles['found']):
        lines += [
            '',
            f'| {title} | {" | ".join(side["name"] for side in sides)} |',
            '|---' * (1 + len(sides)) + '|',
            *(_cells(kind, [side['kinds'][kind] for side in sides]) for kind in sides[0]['kinds']),
            _cells('together', [sum(side['kinds'].values()) for side in sides]),
        ]
    return [*lines, '']


def _cells(name: str, milliseconds: List[float]) -> str:
    return f'| {name} | {" | ".join(f"{value:.1f}" for value in milliseconds)} |'


def _growth(growth: Dict[str, Any]) -> List[str]:
    return [
        '## Growth',
        '',
        '![Time and memory against batch, image size, depth and threads](benchmark_growth.png)',
        '',
        f'Medians of {growth["repetitions"]} repetitions after one, every point a process of its own; memory is the',
        f'peak above what the imports take. {growth["date"]}: {growth["machine"]}{_versions_of(growth["points"])}. '
        '`scripts/benchmark --growth`.',
        '',
    ]


def _versions_of(points: List[Dict[str, Any]]) -> str:
    """The versions of all packages of the points, as part of a sentence."""
    versions: Dict[str, str] = {}
    for point in points:
        versions.update(point.get('versions', {}))
    return ''.join(f', {name} {version}' for name, version in sorted(versions.items()))
