"""The fingerprint of a run: its data and platform, saved in every state and compared when the run is resumed."""

from __future__ import annotations

import logging
import os
from typing import Any, Dict, Optional

import mxnet as mx

from gluon_cbam.common.errors import DataError
from gluon_cbam.common.settings import flag
from gluon_cbam.data.class_names import ClassNames
from gluon_cbam.tasks.base import Task
from gluon_cbam.tasks.protocols import Dataset
from gluon_cbam.training.setup import Setup

from .files import SavedState

_log = logging.getLogger('gluon_cbam.training')
_THREADS = ('OMP_NUM_THREADS', 'MXNET_OMP_MAX_THREADS')


def run_fingerprint(setup: Setup) -> Dict[str, Any]:
    """The fingerprint of a run.

    Returns:
        ``data``: number of examples and hashes of the training and validation data, ``fingerprint`` and, where the task
        has it, ``contents``; ``references``: hashes of what settings name besides the data; ``platform``: versions,
        devices and variables that may change the last bits of results.
    """
    return {
        'data': {'training': _data(setup.task, setup.data.records), 'validation': _data(setup.task, setup.val)},
        'references': setup.references,
        'platform': {
            'mxnet': mx.__version__,
            'devices': [str(context) for context in setup.ctx],
            **{name: os.environ.get(name) for name in _THREADS},
        },
    }


def compare(saved: SavedState, setup: Setup, now: Dict[str, Any]) -> None:
    """Compare a run with the state that it resumes from; warn where results may differ in the last bits.

    Validation data may be added to a run without any, but not changed, since the best score belongs to it. States of
    former versions have no ``contents``: their images are not compared.

    Args:
        saved: the state.
        setup: the setup of the run.
        now: its fingerprint.

    Raises:
        DataError: the network, the data or the names of its classes differ; the message names the difference.
    """
    config = setup.config
    for name in ('network', 'classes'):
        if saved.card[name] != getattr(config, name):
            raise DataError(f'{saved.path} is of {name} {saved.card[name]}, this run of {getattr(config, name)}')
    for name, then in saved.fingerprint['data'].items():
        mine = now['data'][name]
        if then is not None and (mine is None or {key: mine.get(key) for key in then} != then):
            raise DataError(
                f'the {name} data differs from the run to resume: {_text(mine)}, was {_text(then)}: '
                'give the same, or start a new run in another --output'
            )
    _compare_references(saved.fingerprint.get('references', {}), now['references'])
    was = ClassNames(str(saved.path.with_suffix('.json')), saved.card.get('class_names'))
    if was.names:
        setup.task.compare_classes(was, setup.task.class_names(config.data_train), config.ignore_classes)
    before = saved.fingerprint['platform']
    changed = [
        f'{name} {value} (was {before.get(name)})'
        for name, value in now['platform'].items()
        if value != before.get(name)
    ]
    if changed:
        _log.warning('%s: results may differ in the last bits from those of an unbroken run', ', '.join(changed))


def _compare_references(then: Dict[str, str], now: Dict[str, str]) -> None:
    for name in sorted({*then, *now}):
        if then.get(name) != now.get(name):
            mine, was = (values[name][:16] if name in values else 'none' for values in (now, then))
            raise DataError(
                f'{flag(name)} differs from the run to resume: SHA-256 {mine}, was {was}: give the same, or start a '
                'new run in another --output'
            )


def _data(task: Task, data: Optional[Dataset]) -> Optional[Dict[str, Any]]:
    if data is None:
        return None
    values = {'records': len(data), 'fingerprint': task.fingerprint(data), 'contents': task.contents(data)}
    return {name: value for name, value in values.items() if value is not None}


def _text(data: Optional[Dict[str, Any]]) -> str:
    if not data:
        return 'none'
    contents = f', contents {data["contents"][:16]}' if data.get('contents') else ''
    return f'{data["records"]} records, fingerprint {data["fingerprint"]}{contents}'
