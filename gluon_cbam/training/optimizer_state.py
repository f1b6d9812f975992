"""What an optimizer remembers, as arrays under our names: saved without pickle, given back to every device."""

from __future__ import annotations

from typing import Dict, List

import mxnet as mx

from ..errors import DataError

_UPDATES = 'updates'


class OptimizerState:
    """The state of a trainer's optimizer, as :class:`.checkpoints.Part`.

    MXNet's ``Trainer.save_states`` pickles the whole optimizer; loading such a file runs whatever code it holds.

    Args:
        net: that is trained.
        trainer: with ``update_on_kvstore=False``, so that the state is in this process.
    """

    def __init__(self, net: mx.gluon.Block, trainer: mx.gluon.Trainer):
        self._net, self._trainer = net, trainer

    def arrays(self) -> Dict[str, mx.nd.NDArray]:
        """``parameter:number`` -> array of the first device, since all hold the same; and the number of updates."""
        states = self._trainer._updaters[0].states
        arrays = {
            f'{name}:{number}': array
            for index, name in self._names().items()
            for number, array in enumerate(_flat(states.get(index)))
        }
        return {**arrays, _UPDATES: mx.nd.array([self._trainer._optimizer.num_update], dtype='int64')}

    def restore(self, arrays: Dict[str, mx.nd.NDArray], step: int) -> None:
        """Give every device's updater its arrays, and the optimizer its number of updates.

        Raises:
            DataError: an array is missing or of another shape.
        """
        optimizer = self._trainer._optimizer
        if _UPDATES not in arrays:
            raise DataError('the optimizer state does not say how many updates it is of')
        optimizer.begin_num_update = optimizer.num_update = int(arrays[_UPDATES].asscalar())
        for index, name in self._names().items():
            for updater, value in zip(self._trainer._updaters, self._trainer._params[index].list_data()):
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

    def _names(self) -> Dict[int, str]:
        """Index in the trainer -> our name, of the parameters that are trained."""
        names = {id(parameter): name for name, parameter in self._net._collect_params_with_prefix().items()}
        return {index: names[id(p)] for index, p in enumerate(self._trainer._params) if p.grad_req != 'null'}


def _flat(state) -> List[mx.nd.NDArray]:
    """The arrays of an optimizer state: None, an array, or a tuple of states."""
    if state is None:
        return []
    return [array for part in state for array in _flat(part)] if isinstance(state, (tuple, list)) else [state]
