"""The outputs of a network by name."""

from __future__ import annotations

from typing import List, Optional, Sequence, Union

from gluon_cbam.common.errors import UsageError, closest
from gluon_cbam.tasks.classification.prediction import class_names

from .explainer import Explained


def gives_embeddings(network: Explained) -> bool:
    """Whether the outputs are not classes."""
    return hasattr(getattr(network, 'net', None), 'outputs')


def output_names(network: Explained) -> List[str]:
    """The names of a network's outputs: of its classes, or ``output 0`` and so on for embeddings."""
    outputs = getattr(getattr(network, 'net', None), 'outputs', None)
    return class_names(network) if outputs is None else [f'output {number}' for number in range(outputs)]


def class_index(text: str, network: Explained) -> int:
    """The index of the class of a name or a number; names have precedence.

    Args:
        text: a class name, or an index from 0, as text.
        network: the network.

    Raises:
        UsageError: there is no such class, or several classes have this name.
    """
    names = output_names(network)
    matches = [index for index, name in enumerate(names) if name == text]
    if len(matches) > 1:
        raise UsageError(f'{network.name} has {len(matches)} classes {text!r}: give the number, one of {matches}')
    if matches:
        return matches[0]
    if text.strip().isdigit() and int(text) < len(names):
        return int(text)
    raise UsageError(f'{network.name} has no class {text!r}: {closest(text, names)} (numbers are 0..{len(names) - 1})')


def true_class(labels: Sequence[Union[int, str]], network: Explained) -> Optional[int]:
    """The index of the class that an image is known to have.

    Args:
        labels: what its class may be, see :class:`gluon_cbam.data.sources.images.ImageSource`. Names of folders and of
            the classes of a record file are compared with the names of the network's classes. A number counts where the
            record file or the network has no names.
        network: the network.

    Returns:
        The index; None if the labels are of no class of the network, or of several.
    """
    if gives_embeddings(network):
        return None
    names = output_names(network)
    texts = {label for label in labels if isinstance(label, str)}
    found = {index for index, name in enumerate(names) if name in texts}
    if not found and not (texts and network.class_names):
        found = {label for label in labels if isinstance(label, int) and 0 <= label < network.classes}
    return found.pop() if len(found) == 1 else None
