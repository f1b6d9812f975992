"""An exported network as the classifier that prediction and evaluation run."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Callable

import numpy as np

from gluon_cbam.inference.classifier import Classifier

from .runtime import ExportedNetwork


def exported_classifier(network: ExportedNetwork) -> Classifier:
    """Wrap an exported network as a classifier, whose engine runs in a thread of its own.

    Args:
        network: see :func:`gluon_cbam.export.runtime.load_exported`.

    Returns:
        A classifier that takes batches of any size, in the order in which they are started.

    Raises:
        DataError: the file gives feature maps, no logits.
    """
    classes, engine = network.require_classes(), ThreadPoolExecutor(1, thread_name_prefix='engine')

    def start(batch: np.ndarray) -> Callable[[], np.ndarray]:
        return engine.submit(network, batch).result

    return Classifier(network.name, classes, network.class_names, 1, network.prepare, start)
