"""The outputs of a network by name."""

from __future__ import annotations

from typing import List

from gluon_cbam.common.errors import UsageError, closest
from gluon_cbam.inference.network import LoadedNetwork
from gluon_cbam.tasks.classification.prediction import class_names


def output_names(network: LoadedNetwork) -> List[str]:
    """The names of a network's outputs: of its classes, or ``output 0`` and so on for embeddings."""
    outputs = getattr(network.net, 'outputs', None)
    return class_names(network) if outputs is None else [f'output {number}' for number in range(outputs)]


def class_index(text: str, network: LoadedNetwork) -> int:
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
