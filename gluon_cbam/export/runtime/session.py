"""An exported network as the session that prediction and evaluation run."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Callable, Sequence

import numpy as np

from gluon_cbam.common.errors import UsageError
from gluon_cbam.inference.session import Session
from gluon_cbam.tasks import DEFAULT

from .exported_network import ExportedNetwork


def exported_session(network: ExportedNetwork, embeddings: bool = False) -> Session:
    """Wrap an exported network as a session, whose engine runs in a thread of its own.

    A batch is copied to the device by the caller's thread, while the engine computes the batch before.

    Args:
        network: see :func:`gluon_cbam.export.runtime.load_exported`.
        embeddings: whether the caller takes embeddings for what they are, whatever the task.

    Returns:
        A session that takes batches of any size, in the order in which they are started.

    Raises:
        UsageError: the file gives embeddings, and its task needs logits of classes, or boxes before the suppression.
        DataError: the file gives feature maps, not the outputs of a task.
    """
    if not network.nms:
        raise UsageError(
            f'{network.path} gives the boxes and scores of all anchors, no detections: export it without --no-nms'
        )
    if network.embeddings and not embeddings and network.task.name == DEFAULT:
        raise UsageError(
            f'{network.path} gives embeddings of {network.classes} numbers, no logits: there are no classes to '
            'predict; cbam faces takes it'
        )
    classes, engine = network.require_classes(), ThreadPoolExecutor(1, thread_name_prefix='engine')

    def start(images: np.ndarray) -> Callable[[], Sequence[np.ndarray]]:
        return engine.submit(network.start(images)).result

    return Session(
        network.name, classes, network.class_names, 1, network.normalize, start, network.task, network.preprocessing
    )
