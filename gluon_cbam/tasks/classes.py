"""The classes of a network and of data: how many, their names, and whether both name the same."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

from gluon_cbam.common.errors import DataError, UsageError, closest

if TYPE_CHECKING:
    import mxnet as mx

    from gluon_cbam.common.files import PathLike

    from .protocols import Model


class Labels(NamedTuple):
    """The outputs of the network, as the training data define them.

    Attributes:
        classes: outputs of the network's last layer.
        class_names: the names of the classes, in the order of the outputs, or None.
    """

    classes: int
    class_names: Optional[List[str]]


@dataclass(frozen=True)
class ClassCheck:
    """The comparison of the names of classes, and hints about labels.

    Attributes:
        compared: whether all lists of names were compared, and agree; False if some are not known or ``ignore_classes``
            was given; None where there is nothing to compare, as in tasks without classes.
        warnings: lines for the log: why names were not compared, and hints about labels.
    """

    compared: Optional[bool] = None
    warnings: Tuple[str, ...] = ()

    def __add__(self, other: ClassCheck) -> ClassCheck:
        """Both checks together; a line that both have is kept once."""
        known = [each.compared for each in (self, other) if each.compared is not None]
        return ClassCheck(all(known) if known else None, tuple(dict.fromkeys((*self.warnings, *other.warnings))))

    def as_dict(self) -> Dict[str, Any]:
        """The check as ``--json`` has it in every command: ``classes_compared`` if it is false, ``warnings`` if any."""
        compared = {'classes_compared': False} if self.compared is False else {}
        return {**compared, **({'warnings': list(self.warnings)} if self.warnings else {})}


def check_logits(net: mx.gluon.Block, network: str, classes: int) -> None:
    """Check that a network gives logits of classes of whole images.

    Args:
        net: the network.
        network: its name, for the message.
        classes: the number of classes that it was built with.

    Raises:
        UsageError: it finds boxes or masks, or gives embeddings.
    """
    if getattr(net, 'detects', False):
        raise UsageError(f'{network} finds boxes and classifies no images: give --task detection')
    if getattr(net, 'segments', False):
        raise UsageError(f'{network} gives the class of each pixel, not of images: give --task segmentation')
    outputs = getattr(net, 'outputs', classes)
    if outputs != classes:
        raise UsageError(
            f'{network} gives embeddings of {outputs} numbers, no logits of {classes} classes: there are no classes to '
            'train or predict'
        )


def numbers_of(chosen: Sequence[str], names: Sequence[str]) -> Optional[Tuple[int, ...]]:
    """The numbers of the classes that are chosen by name; None for all where none is.

    Raises:
        UsageError: there is no class of such a name.
    """
    unknown = next((name for name in chosen if name not in names), None)
    if unknown is not None:
        raise UsageError(f'the network has no class {unknown!r}: {closest(unknown, names)}')
    return tuple(number for number, name in enumerate(names) if name in chosen) if chosen else None


def given_names(model: Model, labels: Optional[PathLike] = None) -> Optional[List[str]]:
    """The names of the classes of a model.

    Args:
        model: a session or a loaded network.
        labels: a text file with other names than those of the weights, one per line.

    Returns:
        The names, in the order of the outputs; None if neither the file nor the weights name them.

    Raises:
        UsageError: there is no such file.
        DataError: the file has more or fewer names than the model has classes.
    """
    from gluon_cbam.data.sources.labels import read_names

    if labels is not None:
        names = read_names(Path(labels))
        if len(names) != model.classes:
            raise DataError(f'{labels} names {len(names)} classes, {model.name} has {model.classes}')
        return names
    if model.class_names and len(model.class_names) == model.classes:
        return list(model.class_names)
    return None


def names_or_numbers(model: Model, labels: Optional[PathLike] = None) -> List[str]:
    """The names of the classes of a model, see :func:`given_names`; the numbers where nothing names them."""
    names = given_names(model, labels)
    return [str(index) for index in range(model.classes)] if names is None else names
