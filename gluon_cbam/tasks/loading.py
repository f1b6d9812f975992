"""The training batches of a task, with the settings that every loader takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, TypeVar

from .protocols import Dataset, ProcessGroup, Settings

if TYPE_CHECKING:
    from gluon_cbam.data.loading.preprocessing import Preprocessing

_Batches = TypeVar('_Batches')


def load_batches(
    loader: Callable[..., _Batches],
    data: Dataset,
    settings: Settings,
    preprocessing: Preprocessing,
    batch_size: int,
    process_group: ProcessGroup,
    **options: Any,
) -> _Batches:
    """Make the batches of a run.

    Args:
        loader: a class of :mod:`gluon_cbam.data.loading`.
        data: the training data.
        settings: of these ``augment``, ``seed``, ``workers`` and ``max_bad_records``.
        preprocessing: of the network.
        batch_size: images in a batch.
        process_group: the processes that share the images.
        options: further arguments of the loader.
    """
    from gluon_cbam.data.loading.bad_records import BadRecords

    return loader(
        data, batch_size, preprocessing, settings['augment'], settings['seed'], settings['workers'],
        process_group.rank, process_group.size, BadRecords(settings['max_bad_records']), **options,
    )  # fmt: skip
