"""What ``cbam bench`` says about measurements."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Any, Dict, Sequence

from gluon_cbam.common.text_table import aligned

from .context import Spec
from .process import Measured

# mode -> what a call does
MEANINGS = {
    'predict': 'the network alone, on batches that are ready',
    'predict from files': 'cbam predict from JPEG files on',
    'train': 'training steps on images that are ready: normalise, forward, backward, update',
    'validate': 'a whole evaluation of the file',
    'loader': 'training batches without a network, beside the bare JPEG decoding of the same images',
}


def processor() -> str:
    """The name of the machine's processor."""
    for line in Path('/proc/cpuinfo').read_text().splitlines():
        if line.startswith('model name'):
            return line.partition(':')[2].strip()
    return platform.machine()


def meaning(spec: Spec) -> str:
    """What was measured, in words."""
    return MEANINGS[f'{spec.mode} from files' if spec.with_decode else spec.mode]


def as_dict(measured: Sequence[Measured], repetitions: int, left_out: Dict[str, str]) -> Dict[str, Any]:
    """For JSON: the first side, and under ``compared`` the others with ``time_ratio``, the first's median over theirs.

    Args:
        measured: the sides.
        repetitions: of each.
        left_out: engine -> why it was not measured.
    """
    first, *others = measured
    return {
        **_side(first),
        'measured': meaning(first.spec),
        'image_size': first.spec.image_size,
        'threads': first.spec.threads,
        'repetitions': repetitions,
        'calls': first.spec.calls,
        'machine': processor(),
        'compared': [{**_side(other), 'time_ratio': first.over(other)} for other in others],
        'left_out': left_out,
    }


def _side(side: Measured) -> Dict[str, Any]:
    return {
        'network': side.spec.network or None,
        'engine': side.spec.engine,
        'mode': side.spec.mode,
        'batch': side.spec.batch,
        'images_per_second': side.images_per_second,
        'milliseconds': side.milliseconds._asdict(),
        'device': side.facts['device'],
        'peak_bytes': side.peak_bytes,
        'used_bytes': side.used_bytes,
        'versions': side.facts['versions'],
    }


def as_text(measured: Sequence[Measured], repetitions: int, left_out: Dict[str, str]) -> str:
    """For people; arguments as of :func:`as_dict`."""
    first, *others = measured
    spec = first.spec
    rows = [('', 'ms: min', 'median', 'p95', 'images/s', 'peak MB')]
    rows += [(side.spec.name, *(f'{value:.1f}' for value in _figures(side))) for side in measured]
    lines = [
        f'{spec.mode}: {meaning(spec)}',
        f'batch {spec.batch}, {spec.image_size} x {spec.image_size}, {first.facts["device"]}, {spec.threads} threads, '
        f'{processor()}; {repetitions} repetitions, in turn' + (f' of {spec.calls} calls' if spec.calls > 1 else ''),
        aligned(rows),
    ]
    lines += [f'{first.over(other):.2f} of the time of {other.spec.name}' for other in others]
    return '\n'.join([*lines, *(f'{engine}: left out ({why})' for engine, why in left_out.items())])


def _figures(side: Measured):
    return (*side.milliseconds, side.images_per_second, side.peak_bytes / 1e6)
