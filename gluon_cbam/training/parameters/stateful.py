"""The protocol of everything that checkpoints save in addition to the network's parameters."""

from __future__ import annotations

from typing import Dict, Protocol

import mxnet as mx


class Stateful(Protocol):
    """State that training changes in addition to the network's parameters: of the optimizer, EMA or loss scale."""

    def arrays(self) -> Dict[str, mx.nd.NDArray]:
        """The state by name. The arrays may still be computed when this returns."""

    def restore(self, arrays: Dict[str, mx.nd.NDArray], step: int) -> None:
        """Restore the state that :meth:`arrays` returned.

        Args:
            arrays: the state by name, on the CPU.
            step: steps that are done.

        Raises:
            DataError: an array is missing or does not fit.
        """
