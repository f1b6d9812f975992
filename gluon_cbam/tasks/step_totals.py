"""What the loss of a step is divided by, where that is not the number of its images."""

from __future__ import annotations

from typing import List, Optional, Sequence

import mxnet as mx

from .protocols import ProcessGroup


def images_over(
    totals: Sequence[mx.nd.NDArray],
    images: int,
    contexts: Sequence[mx.Context],
    name: str,
    process_group: Optional[ProcessGroup] = None,
    smallest: float = 1.0,
) -> List[mx.nd.NDArray]:
    """Images over a total of a step, over all devices, processes and accumulated batches.

    Gradients are divided by the images of a step: losses times this weight are divided by the total instead, however
    the images are divided. No device is waited for.

    Args:
        totals: the parts of the total, (1,) each, on any devices.
        images: images of the step in this process.
        contexts: the devices.
        name: the name of the total among the processes.
        process_group: the processes that train together.
        smallest: the total is taken as at least this, so that a step without anything to count has no loss.

    Returns:
        (1,) on each device.
    """
    total = mx.nd.add_n(*(each.as_in_context(contexts[0]) for each in totals))
    if process_group is not None:
        total, images = process_group.add(name, total), images * process_group.size
    weight = images / mx.nd.maximum(total, smallest)
    return [weight.as_in_context(context) for context in contexts]
