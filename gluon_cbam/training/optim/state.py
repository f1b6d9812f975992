"""What an optimizer remembers, as arrays under our names: saved without pickle, given back to every device."""

from __future__ import annotations

from typing import Dict, List

import mxnet as mx

from gluon_cbam.common.errors import DataError

_UPDATES = 'updates'


def optimizer_arrays(net: mx.gluon.Block, trainer: mx.gluon.Trainer) -> Dict[str, mx.nd.NDArray]:
    """The state of a trainer's optimizer.

    MXNet's ``Trainer.save_states`` pickles the whole optimizer; loading such a file runs whatever code it holds.

    Args:
        net: that is trained.
        trainer: with ``update_on_kvstore=False``, so that the state is in this process.

    Returns:
        ``parameter:number`` -> array of the first device, since all hold the same; ``updates`` -> how many were done.
    """
    states = trainer._updaters[0].states
    arrays = {
        f'{name}:{number}': array
        for index, name in _names(net, trainer).items()
        for number, array in enumerate(_flat(states.get(index)))
    }
    return {**arrays, _UPDATES: mx.nd.array([trainer._optimizer.num_update], dtype='int64')}


def restore_optimizer(net: mx.gluon.Block, trainer: mx.gluon.Trainer, arrays: Dict[str, mx.nd.NDArray]) -> None:
    """Give every device's updater the arrays of :func:`optimizer_arrays`, and the optimizer its number of updates.

    Raises:
        DataError: an array is missing or of another shape.
    """
    optimizer = trainer._optimizer
    if _UPDATES not in arrays:
        raise DataError('the optimizer state does not say how many updates were done')
    optimizer.begin_num_update = optimizer.num_update = int(arrays[_UPDATES].asscalar())
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
