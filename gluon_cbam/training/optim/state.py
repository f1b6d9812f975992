"""The state of an optimizer as named arrays: saved without pickle, and restored on every device."""

from __future__ import annotations

from typing import Any, Dict, List

import mxnet as mx

from gluon_cbam.common.errors import DataError

_UPDATES = 'updates'


def optimizer_arrays(net: mx.gluon.Block, trainer: mx.gluon.Trainer) -> Dict[str, mx.nd.NDArray]:
    """The state of a trainer's optimizer.

    MXNet's ``Trainer.save_states`` pickles the whole optimizer, and loading such a file runs whatever code it holds.

    Args:
        net: the network that is trained.
        trainer: with ``update_on_kvstore=False``, so that the state is in this process.

    Returns:
        ``parameter:number`` -> array of the first device, since all devices have the same; ``updates`` -> (1,) int64,
        how many updates were done.
    """
    states = trainer._updaters[0].states
    arrays = {
        f'{name}:{number}': array
        for index, name in _names(net, trainer).items()
        for number, array in enumerate(flat(states.get(index)))
    }
    return {**arrays, _UPDATES: mx.nd.array([trainer._optimizer.num_update], dtype='int64')}


def restore_optimizer(net: mx.gluon.Block, trainer: mx.gluon.Trainer, arrays: Dict[str, mx.nd.NDArray]) -> None:
    """Restore the state that :func:`optimizer_arrays` returned, on every device.

    Args:
        net: the network that is trained.
        trainer: with ``update_on_kvstore=False``.
        arrays: the state by name.

    Raises:
        DataError: an array is missing or has another shape.
    """
    optimizer = trainer._optimizer
    if _UPDATES not in arrays:
        raise DataError('the optimizer state has no number of updates')
    optimizer.begin_num_update = optimizer.num_update = int(arrays[_UPDATES].asscalar())
    for index, name in _names(net, trainer).items():
        for updater, value in zip(trainer._updaters, trainer._params[index].list_data()):
            state = optimizer.create_state_multi_precision(index, value)
            for number, array in enumerate(flat(state)):
                saved = arrays.get(f'{name}:{number}')
                if saved is None or saved.shape != array.shape:
                    raise DataError(
                        f'the optimizer state of {name} is missing or does not fit: is it of another --optimizer?'
                    )
                saved.copyto(array)
            updater.states[index] = state
            updater.states_synced[index] = True


def _names(net: mx.gluon.Block, trainer: mx.gluon.Trainer) -> Dict[int, str]:
    """Index in the trainer -> name in files, of the parameters that are trained."""
    names = {id(parameter): name for name, parameter in net._collect_params_with_prefix().items()}
    return {index: names[id(p)] for index, p in enumerate(trainer._params) if p.grad_req != 'null'}


def flat(state: Any) -> List[mx.nd.NDArray]:
    """The arrays of an optimizer state: None, an array, or a tuple of states."""
    if state is None:
        return []
    return [array for part in state for array in flat(part)] if isinstance(state, (tuple, list)) else [state]
