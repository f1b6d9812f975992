"""Checkpoints of a run: ``best.params`` for use, and the newest state to continue from.

A state is three files under one stem, ``newest-step00000110``: ``.params``, ``.states`` (the optimizer's arrays) and
``.json`` (the card of the parameters, with the run's progress and the SHA-256 of the states), which is written last: a
state without it does not exist. Nothing is pickled: MXNet's ``Trainer.save_states`` pickles the whole optimizer, and
loading such a file runs whatever code it holds.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional

import mxnet as mx

from zoo.files import atomic_path, sha256

from .. import weights
from ..errors import DataError

_STEM = 'newest-step'
_ENDINGS = ('.json', '.states', '.params')


class State(NamedTuple):
    """A state to continue from.

    Attributes:
        path: of its parameters.
        progress: the run's: ``epoch``, ``batch``, ``step``, ``best``.
    """

    path: Path
    progress: Dict[str, Any]


class Checkpoints:
    """The folder ``checkpoints`` of a run.

    Args:
        folder: made if it does not exist.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def save_best(self, net, card: Dict[str, Any]) -> None:
        """Write ``best.params`` and ``best.json``."""
        weights.save(net, self.folder / 'best.params', **card)

    def save_newest(self, net, trainer: mx.gluon.Trainer, card: Dict[str, Any], progress: Dict[str, Any]) -> Path:
        """Write the state of a run, then remove the one before.

        Returns:
            The path of its parameters.
        """
        stem = self.folder / f'{_STEM}{progress["step"]:08d}'
        states = stem.with_suffix('.states')
        with atomic_path(states) as temporary:
            mx.nd.save(str(temporary), optimizer_arrays(net, trainer))
            digest = sha256(temporary)
        weights.save(net, stem.with_suffix('.params'), training={**progress, 'states_sha256': digest}, **card)
        for ending in _ENDINGS:  # the card first: without it the rest is nothing
            for path in self.folder.glob(f'{_STEM}*{ending}'):
                if path.stem != stem.name:
                    path.unlink()
        return stem.with_suffix('.params')

    def newest(self) -> Optional[State]:
        """The newest state, or None.

        Raises:
            DataError: it is damaged.
        """
        cards = sorted(self.folder.glob(f'{_STEM}*.json'))
        if not cards:
            return None
        path = cards[-1].with_suffix('.params')
        states = path.with_suffix('.states')
        for needed in (path, states):
            if not needed.is_file():
                raise DataError(f'{needed} is missing: start anew in another --output')
        card = weights.card_beside(path)
        progress = dict(card.training or {})
        if progress.pop('states_sha256', None) != sha256(states):
            raise DataError(f'{states} is damaged: start anew in another --output')
        return State(path, progress)

    def restore(self, state: State, net, trainer: mx.gluon.Trainer) -> None:
        """Put a state's parameters and optimizer arrays back.

        Raises:
            DataError: they do not fit the network or the optimizer.
        """
        weights.load(net, state.path)
        restore_optimizer(net, trainer, weights.read_arrays(state.path.with_suffix('.states')), state.progress['step'])


def optimizer_arrays(net, trainer: mx.gluon.Trainer) -> Dict[str, mx.nd.NDArray]:
    """The optimizer's arrays as ``parameter:number``; those of the first device, since all hold the same."""
    states = trainer._updaters[0].states
    return {
        f'{name}:{number}': array
        for index, name in _names(net, trainer).items()
        for number, array in enumerate(_flat(states.get(index)))
    } or {'none': mx.nd.zeros((1,))}  # MXNet saves no empty dictionary


def restore_optimizer(net, trainer: mx.gluon.Trainer, arrays: Dict[str, mx.nd.NDArray], step: int) -> None:
    """Give every device's updater the arrays of :func:`optimizer_arrays`, and the optimizer its number of updates.

    Raises:
        DataError: an array is missing or of another shape.
    """
    optimizer = trainer._optimizer
    optimizer.begin_num_update = optimizer.num_update = step
    for index, name in _names(net, trainer).items():
        for updater, value in zip(trainer._updaters, trainer._params[index].list_data()):
            state = optimizer.create_state_multi_precision(index, value)
            for number, array in enumerate(_flat(state)):
                saved = arrays.get(f'{name}:{number}')
                if saved is None or saved.shape != array.shape:
                    raise DataError(
                        f'the optimizer state of {name} is missing or does not fit: was the optimizer another?'
                    )
                saved.copyto(array)
            updater.states[index] = state
            updater.states_synced[index] = True


def _names(net, trainer) -> Dict[int, str]:
    """Index in the trainer -> our name, of the parameters that are trained."""
    names = {id(parameter): name for name, parameter in net._collect_params_with_prefix().items()}
    return {index: names[id(p)] for index, p in enumerate(trainer._params) if p.grad_req != 'null'}


def _flat(state) -> List[mx.nd.NDArray]:
    """The arrays of an optimizer state: None, an array, or a tuple of states."""
    if state is None:
        return []
    return [array for part in state for array in _flat(part)] if isinstance(state, (tuple, list)) else [state]
