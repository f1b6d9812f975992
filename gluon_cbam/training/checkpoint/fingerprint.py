"""What a run was made of besides its settings: a saved state holds it, and a run that continues compares."""

from __future__ import annotations

import logging
import os
from typing import Any, Dict, Optional

import mxnet as mx

from gluon_cbam.common.errors import DataError
from gluon_cbam.tasks.base import Task
from gluon_cbam.tasks.protocols import Dataset
from gluon_cbam.training.setup import Setup

from .files import SavedState

_log = logging.getLogger('gluon_cbam.training')
_THREADS = ('OMP_NUM_THREADS', 'MXNET_OMP_MAX_THREADS')


def run_fingerprint(setup: Setup) -> Dict[str, Any]:
    """The fingerprint of a run.

    Returns:
        ``data``: of the training and validation data, how many examples and a hash; ``platform``: what may change the
        last bits of results.
    """
    return {
        'data': {'training': _data(setup.task, setup.data.records), 'validation': _data(setup.task, setup.val)},
        'platform': {
            'mxnet': mx.__version__,
            'devices': [str(context) for context in setup.ctx],
            **{name: os.environ.get(name) for name in _THREADS},
        },
    }


def compare(saved: SavedState, setup: Setup, now: Dict[str, Any]) -> None:
    """Compare a run with the state that it is to continue; a warning where results may differ in the last bits.

    Validation data may be added to a run that had none, not changed under its best score.

    Args:
        saved: the state.
        setup: the setup of the run.
        now: its fingerprint.

    Raises:
        DataError: the network or the data are others; the message names the difference.
    """
    config = setup.config
    for name in ('network', 'classes'):
        if saved.card[name] != getattr(config, name):
            raise DataError(f'{saved.path} is of {name} {saved.card[name]}, this run of {getattr(config, name)}')
    for name, then in saved.fingerprint['data'].items():
        mine = now['data'][name]
        if then is not None and mine != then:
            raise DataError(
                f'the {name} data is another than that of the run to resume: {_text(mine)}, was {_text(then)}: '
                'give the same, or start a new run in another --output'
            )
    before = saved.fingerprint['platform']
    changed = [
        f'{name} {value} (was {before.get(name)})'
        for name, value in now['platform'].items()
        if value != before.get(name)
    ]
    if changed:
        _log.warning('%s: results may differ in the last bits from those of an unbroken run', ', '.join(changed))


def _data(task: Task, data: Optional[Dataset]) -> Optional[Dict[str, Any]]:
    return {'records': len(data), 'fingerprint': task.fingerprint(data)} if data is not None else None


def _text(data: Optional[Dict[str, Any]]) -> str:
    return f'{data["records"]} records, fingerprint {data["fingerprint"]}' if data else 'none'
