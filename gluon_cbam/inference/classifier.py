"""Networks on devices and exported files alike: from images to logits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, List, Optional

import mxnet as mx
import numpy as np

from gluon_cbam.common.errors import UsageError
from gluon_cbam.tasks.classification.evaluation import Start, on_contexts

from .network import LoadedNetwork


@dataclass(frozen=True)
class Classifier:
    """What gives images their logits.

    Attributes:
        name: of the network.
        classes: outputs.
        class_names: in the order of the outputs, or None.
        devices: that a batch is divided over; its size must be a multiple.
        prepare: from one image, (H, W, 3) uint8 RGB of any size, to a row of a batch.
        start: has a batch computed and gives a function that waits for the logits, (N, classes) float32.
    """

    name: str
    classes: int
    class_names: Optional[List[str]]
    devices: int
    prepare: Callable[[np.ndarray], np.ndarray]
    start: Start


def on_devices(network: LoadedNetwork, ctx: List[mx.Context]) -> Classifier:
    """A network on some of its contexts.

    Raises:
        UsageError: the network gives embeddings, no classes.
    """
    outputs = getattr(network.net, 'outputs', network.classes)
    if outputs != network.classes:
        raise UsageError(f'{network.name} gives embeddings of {outputs} numbers: there are no classes to predict')

    start = on_contexts(network.net, ctx)
    return Classifier(network.name, network.classes, network.class_names, len(ctx), network.preprocessing, start)
