"""The output of ``cbam bench``: JSON and text."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Any, Dict, List, Sequence, Tuple

from gluon_cbam.common.image_size import shown_image_size
from gluon_cbam.common.text_table import aligned

from .context import BenchmarkContext
from .process import Measurement

DESCRIPTIONS = {
    'predict': 'the network alone, on batches in memory',
    'predict from files': 'cbam predict, including the decoding of JPEG files',
    'train': 'training steps on images in memory: normalize, forward, backward, update',
    'validate': 'a whole evaluation of the file',
    'loader': 'training batches without a network, compared with decoding the same JPEGs alone',
}
"""Mode -> description of a call."""


def processor() -> str:
    """The model name of the machine's processor."""
    for line in Path('/proc/cpuinfo').read_text().splitlines():
        if line.startswith('model name'):
            return line.partition(':')[2].strip()
    return platform.machine()


def _description(context: BenchmarkContext) -> str:
    return DESCRIPTIONS[f'{context.mode} from files' if context.with_decode else context.mode]


def as_dict(measured: Sequence[Measurement], repetitions: int, left_out: Dict[str, str]) -> Dict[str, Any]:
    """The results as values for JSON.

    Args:
        measured: the results; the first is compared with the others.
        repetitions: number of repetitions of each context.
        left_out: engine -> the reason why it was not measured.

    Returns:
        The first result; under ``compared`` the others, with ``time_ratio``, the first median over theirs, and
        ``ratio_to_ours``, their median over the first.
    """
    first, *others = measured
    return {
        **_entry(first),
        'measured': _description(first.context),
        'image_size': first.context.image_size,
        'threads': first.context.threads,
        'repetitions': repetitions,
        'calls': first.context.calls,
        'machine': processor(),
        'compared': [
            {**_entry(other), 'time_ratio': first.over(other), 'ratio_to_ours': other.over(first)} for other in others
        ],
        'left_out': left_out,
    }


def _entry(result: Measurement) -> Dict[str, Any]:
    return {
        'network': result.context.network or None,
        'engine': result.context.engine,
        'mode': result.context.mode,
        'batch': result.context.batch,
        'images_per_second': result.images_per_second,
        'milliseconds': result.milliseconds._asdict(),
        'device': result.facts['device'],
        'peak_bytes': result.peak_bytes,
        'used_bytes': result.used_bytes,
        'versions': result.facts['versions'],
        'instructions': result.facts.get('instructions'),
        'settings': result.facts.get('settings', {}),
        'difference': result.facts.get('difference'),
    }


def as_text(measured: Sequence[Measurement], repetitions: int, left_out: Dict[str, str]) -> str:
    """The results as text.

    Args:
        measured: see :func:`as_dict`.
        repetitions: see :func:`as_dict`.
        left_out: see :func:`as_dict`.

    Returns:
        A table of the results with the ratios of their medians to the first, what they were measured with, and the
        engines that are left out.
    """
    first, *others = measured
    context = first.context
    rows: List[Tuple[str, ...]] = [('', 'ms: min', 'p5', 'median', 'p95', 'images/s', 'peak MB', 'ratio')]
    rows += [_row(result, first) for result in measured]
    lines = [
        f'{context.mode}: {_description(context)}',
        f'batch {context.batch}, {shown_image_size(context.image_size)}, {first.facts["device"]}, '
        f'{context.threads} threads, {processor()}; {repetitions} repetitions, in turn'
        + (f' of {context.calls} calls' if context.calls > 1 else ''),
        aligned(rows),
    ]
    lines += [f'{first.over(other):.2f} of the time of {other.context.name}' for other in others]
    lines += [f'{result.context.name}: {_conditions(result)}' for result in measured]
    return '\n'.join([*lines, *(f'{engine}: left out ({why})' for engine, why in left_out.items())])


def _row(result: Measurement, first: Measurement) -> Tuple[str, ...]:
    figures = (*result.milliseconds, result.images_per_second, result.peak_bytes / 1e6)
    return (result.context.name, *(f'{value:.1f}' for value in figures), f'{result.over(first):.2f}')


def _conditions(result: Measurement) -> str:
    """Versions and settings of a process, and how far its outputs are from ours, in one line."""
    facts = result.facts
    known = {**facts['versions'], **facts.get('settings', {})}
    parts = [f'{name} {value}' for name, value in known.items()]
    if facts.get('instructions'):
        parts.append(f'operators for {facts["instructions"]}')
    if 'difference' in facts:
        found = facts['difference']
        parts.append(
            f'largest difference of an output {found["largest"]:.1e} of {found["scale"]:.1e}'
            if found
            else 'outputs not compared: the weights have no names there'
        )
    return ', '.join(parts)
