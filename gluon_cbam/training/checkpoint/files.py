"""Checkpoints of a run: the best parameters, and the newest states to resume from.

A state is files under one stem, ``newest-epoch0002-step00000110`` (epochs and steps that are done; with ``_validated``
after a validation within an epoch, before which there may be a state of the same step): ``.params``;
``.states``, the arrays of everything else that changes (optimizer, moving averages, ...) as ``part/name``; and
``.json``, the card of the parameters with the run's progress and the hashes of all of them, which is written last:
files without a card are not a state. Where rows of a loss head are sharded, there is a file for each such array
besides, see :mod:`gluon_cbam.training.checkpoint.tables`. A stem is written once, and its card is removed first, so
that a crash at any moment leaves only complete states. The newest two are kept. Nothing is pickled.
"""

from __future__ import annotations

import hashlib
import json
import logging
from glob import escape
from pathlib import Path
from typing import Any, Dict, Iterable, Mapping, NamedTuple, Optional

import mxnet as mx

from gluon_cbam import weights
from gluon_cbam.common.errors import DataError
from gluon_cbam.common.files import atomic_path, remove_temporaries, sha256
from gluon_cbam.training.parameters.stateful import Stateful

from .state_names import STEM, state_name, stem_of
from .tables import NO_TABLES, Tables, check_tables, restore_tables, take_part, write_tables

_log = logging.getLogger('gluon_cbam.training')
_KEPT = 2
OPTIONAL = ('device_statistics',)
"""Parts that a state may lack, or have without the run that continues it."""


class SavedState(NamedTuple):
    """A complete state to resume from.

    Attributes:
        path: the path of its parameters.
        card: the card of the parameters: network, classes, options, preprocessing.
        progress: the progress of the run, as :class:`.state.TrainingState` has it.
        fingerprint: the fingerprint of the run, as it was saved; see :func:`.fingerprint.run_fingerprint`.
    """

    path: Path
    card: Dict[str, Any]
    progress: Dict[str, Any]
    fingerprint: Dict[str, Any]


class Checkpoints:
    """The directory ``checkpoints`` of a run.

    Args:
        folder: the directory; made if it does not exist.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._last: Optional[str] = None  # the stem that was written or restored last, which is complete
        folder.mkdir(parents=True, exist_ok=True)

    def clean(self) -> None:
        """Remove files that a crash left incomplete."""
        remove_temporaries(self.folder)
        whole = {path.stem for path in self.folder.glob('*.json')}
        for path in self.folder.glob(f'{STEM}*'):
            if stem_of(path) not in whole:
                path.unlink()

    def save_best(self, net: mx.gluon.Block, card: Dict[str, Any], name: str = 'best') -> None:
        """Write the parameters ``name.params`` with their card."""
        weights.save(net, self.folder / f'{name}.params', **card)

    def keep_best(self, names: Iterable[str]) -> None:
        """Remove all parameters of best epochs except ``best`` and ``names``."""
        for path in self.folder.glob('best-epoch*.params'):
            if path.stem not in names:
                self._remove(path.stem)

    def save_newest(
        self,
        net: mx.gluon.Block,
        parts: Mapping[str, Stateful],
        card: Dict[str, Any],
        progress: Dict[str, Any],
        fingerprint: Dict[str, Any],
        tables: Tables = NO_TABLES,
    ) -> Path:
        """Write a state, then remove all but it and the one before. Does nothing if the state exists.

        Args:
            net: the network to save.
            parts: everything else that changes in training, by name.
            card: see :func:`gluon_cbam.weights.save`.
            progress: ``epoch``, ``step`` and the other fields of :class:`.state.TrainingState`.
            fingerprint: see :class:`SavedState`.
            tables: the arrays that no process has as a whole, by name.

        Returns:
            The path of its parameters.
        """
        path = self.folder / state_name(progress)
        if path.stem == self._last:
            return path
        self._remove(path.stem)  # an existing one is damaged: it was not restored
        try:
            training = {'progress': progress, 'origin': fingerprint}
            if tables:
                training['tables_sha256'] = write_tables(path, tables)
            self._write_state(path, net, parts, card, training)
        except BaseException:  # the disk may be full because of it
            self._remove(path.stem)
            raise
        for other in {stem_of(other) for other in self.folder.glob(f'{STEM}*')} - {path.stem, self._last}:
            self._remove(other)
        self._last = path.stem
        return path

    def _write_state(
        self, path: Path, net: mx.gluon.Block, parts: Mapping[str, Stateful], card: Dict[str, Any],
        training: Dict[str, Any],
    ) -> None:  # fmt: skip
        """Write the three files of a state, the card last."""
        with atomic_path(path.with_suffix('.states')) as temporary:
            arrays = {f'{part}/{name}': array for part in parts for name, array in parts[part].arrays().items()}
            weights.write_arrays(arrays, temporary)
            training['states_sha256'] = sha256(temporary)
        weights.save(net, path, training={**training, 'sha256': _digest(training)}, **card)

    def newest_intact(self) -> str:
        """What is left after a failure, for its message: the newest state that this process wrote or restored."""
        if self._last is None:
            return 'no state was saved yet'
        return f'{self.folder / self._last}.params is whole: continue with --resume {self.folder.parent}'

    def _remove(self, stem: str) -> None:
        """Remove the files of a stem, the card first: without it the other files are ignored."""
        for path in sorted(self.folder.glob(f'{escape(stem)}.*'), key=lambda path: path.suffix != '.json'):
            path.unlink()

    def newest(self) -> Optional[SavedState]:
        """The newest complete state, with a warning for each damaged one that is skipped; None if none was saved.

        Raises:
            DataError: there are states, but none is complete.
        """
        damage = []
        for card in sorted(self.folder.glob(f'{STEM}*.json'), reverse=True):
            try:
                state = _read(card)
            except (DataError, OSError) as error:
                damage.append(str(error))
                continue
            for text in damage:
                _log.warning('%s: continues from %s, which is whole', text, state.path)
            return state
        if not damage and (self.folder / 'best.params').exists():
            damage = ['its states are missing']
        if damage:
            raise DataError(
                f'no whole state is left in {self.folder} ({damage[0]}): start a new run in another --output'
            )
        return None

    def restore(
        self, state: SavedState, net: mx.gluon.Block, parts: Mapping[str, Stateful], tables: Tables = NO_TABLES
    ) -> None:
        """Restore the parameters and arrays of a state.

        Args:
            state: the state.
            net: the network to restore the parameters of.
            parts: everything else to restore, by name.
            tables: the arrays that no process has as a whole, by name.

        Raises:
            DataError: the state does not fit the network or a part, or is of other parts.
        """
        saved: Dict[str, Dict[str, mx.nd.NDArray]] = {}
        for key, array in weights.read_arrays(state.path.with_suffix('.states')).items():
            owner, _, name = key.partition('/')
            saved.setdefault(owner, {})[name] = array
        if set(saved).difference(OPTIONAL) != set(parts).difference(OPTIONAL):
            raise DataError(f'{state.path} was saved with {_listed(saved)}, this run has {_listed(parts)}')
        weights.load(net, state.path)
        for name, part in parts.items():
            part.restore(saved.get(name, {}), state.progress['step'])
        restore_tables(state.path, tables)
        self._last = state.path.stem


class ReadOnlyCheckpoints(Checkpoints):
    """The checkpoints for the processes other than the first, which read what the first one writes."""

    def clean(self) -> None:
        """Do nothing."""

    def save_best(self, net: mx.gluon.Block, card: Dict[str, Any], name: str = 'best') -> None:
        """Do nothing."""

    def keep_best(self, names: Iterable[str]) -> None:
        """Do nothing."""

    def save_newest(
        self,
        net: mx.gluon.Block,
        parts: Mapping[str, Stateful],
        card: Dict[str, Any],
        progress: Dict[str, Any],
        fingerprint: Dict[str, Any],
        tables: Tables = NO_TABLES,
    ) -> Path:
        """Give the rows of this process to the first one, and return the path that it writes."""
        path = self.folder / state_name(progress)
        if path.stem != self._last:
            take_part(tables)
            self._last = path.stem
        return path


def _read(card_path: Path) -> SavedState:
    """Read a state, and compare its hashes."""
    path = card_path.with_suffix('.params')
    states = path.with_suffix('.states')
    for needed in (path, states):
        if not needed.is_file():
            raise DataError(f'{needed} is missing')
    card = weights.read_card(path)
    if card is None:
        raise DataError(f'{card_path} is missing')
    training = dict(card.training or {})
    if training.pop('sha256', None) != _digest(training):
        raise DataError(f'{card_path} is damaged')
    if training['states_sha256'] != sha256(states):
        raise DataError(f'{states} is damaged')
    check_tables(path, training.get('tables_sha256', {}))
    return SavedState(path, card.as_dict(), training['progress'], training['origin'])


def _digest(values: Dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def _listed(parts: Iterable[str]) -> str:
    return ', '.join(sorted(parts)) or 'nothing'
