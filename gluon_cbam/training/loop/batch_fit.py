"""A few images that a dry run trains on again and again: a network that does not learn them will not learn the data."""

from __future__ import annotations

from typing import Any, List, Optional, Sequence

import mxnet as mx

from gluon_cbam.data.loading.training import Normalize
from gluon_cbam.tasks.evaluation import on_contexts
from gluon_cbam.training.parameters.batch_norm import take_statistics
from gluon_cbam.training.setup import Setup

from .dry_run_report import BatchFit
from .engine import Engine
from .step import TrainStep

_STEPS, _RATE = 40, 1e-3  # of Adam


class _Adam:
    """Updates all parameters by Adam with a fixed rate, whatever the optimizer of the run is."""

    loss_scale = 1.0

    def __init__(self, net: mx.gluon.HybridBlock, devices: int, images: int) -> None:
        store = 'device' if devices > 1 else None
        self._trainer = mx.gluon.Trainer(net.collect_params(), 'adam', {'learning_rate': _RATE}, kvstore=store)
        self._images = images

    def update(self, number: int) -> bool:
        """See :meth:`gluon_cbam.training.optim.update.Optimization.update`."""
        self._trainer.step(self._images)
        return True


def fit_batch(engine: Engine, setup: Setup, batch: Sequence[mx.nd.NDArray]) -> Optional[BatchFit]:
    """Train on a few images of a batch, and score the network on them; the parameters are lost for the run.

    Args:
        engine: the network and its loss.
        setup: the setup of the run.
        batch: the batch.

    Returns:
        The result; None for tasks and batches of which :meth:`gluon_cbam.tasks.Task.rows_to_fit` chooses no images.
    """
    rows = setup.task.rows_to_fit(batch) * len(setup.ctx)
    if not rows:
        return None
    numbers = mx.nd.array(rows)
    few = type(batch)._make(mx.nd.take(array, numbers) for array in batch)  # type: ignore[attr-defined]
    optimization: Any = _Adam(engine.net, len(setup.ctx), len(rows))
    step = TrainStep(engine.net, engine.objective, setup.ctx, optimization)
    losses = [step([few], number).sums[0] for number in range(_STEPS)]
    first, last = (_mean(losses[place], len(rows)) for place in (0, -1))
    images = Normalize(setup.preprocessing)(few[0])
    take_statistics(engine.net, lambda: step.backward([few], _STEPS))
    outputs = on_contexts(engine.net, setup.ctx)(images.asnumpy())()
    return BatchFit(len(rows), _STEPS, first, last, setup.task.batch_figures(few, outputs), setup.task)


def _mean(sums: List[mx.nd.NDArray], images: int) -> float:
    return sum(float(each.asscalar()) for each in sums) / images
