"""What a run was made of, beside its settings: a state says it, and a run that continues compares."""

from __future__ import annotations

import hashlib
import logging
import os
from typing import Any, Dict, Optional

import mxnet as mx

from gluon_cbam.common.errors import DataError
from gluon_cbam.data.records.recordio import RecordFile
from gluon_cbam.training.loop.setup import Setup

from .files import State

_log = logging.getLogger('gluon_cbam.training')
_THREADS = ('OMP_NUM_THREADS', 'MXNET_OMP_MAX_THREADS')


def origin(setup: Setup) -> Dict[str, Any]:
    """``data``: of the training and validation records, how many and a fingerprint; ``platform``: what may change the
    last bits of results."""
    return {
        'data': {'training': _data(setup.data.records), 'validation': _data(setup.val)},
        'platform': {
            'mxnet': mx.__version__,
            'devices': [str(context) for context in setup.ctx],
            **{name: os.environ.get(name) for name in _THREADS},
        },
    }


def compare(state: State, setup: Setup, now: Dict[str, Any]) -> None:
    """Compare a run with the state that it is to continue; a warning where results may differ in the last bits.

    Validation data may come to a run that had none, not change under its best score.

    Raises:
        DataError: the network or the data are others; the message names the difference.
    """
    config = setup.config
    for name in ('network', 'classes'):
        if state.card[name] != getattr(config, name):
            raise DataError(f'{state.path} is of {name} {state.card[name]}, this run of {getattr(config, name)}')
    for name, then in state.origin['data'].items():
        mine = now['data'][name]
        if then is not None and mine != then:
            raise DataError(
                f'the {name} data is another than that of the run to resume: {_told(mine)}, was {_told(then)}: '
                'give the same, or start anew in another --output'
            )
    before = state.origin['platform']
    changed = [
        f'{name} {value} (was {before.get(name)})'
        for name, value in now['platform'].items()
        if value != before.get(name)
    ]
    if changed:
        _log.warning('%s: results may differ in the last bits from those of an unbroken run', ', '.join(changed))


def _data(records: Optional[RecordFile]) -> Optional[Dict[str, Any]]:
    return records and {'records': len(records), 'fingerprint': fingerprint(records)}


def _told(data: Optional[Dict[str, Any]]) -> str:
    return f'{data["records"]} records, fingerprint {data["fingerprint"]}' if data else 'none'


def fingerprint(records: RecordFile) -> str:
    """A short hash of where the records of a file are and of their labels; nothing of the images is read."""
    content = records.offsets.astype('<i8').tobytes() + records.labels.astype('<f4').tobytes()
    return hashlib.sha256(content).hexdigest()[:16]
