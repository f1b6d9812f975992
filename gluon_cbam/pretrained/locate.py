"""Find the parameter files of published weights: in the store, else downloaded and converted."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Callable, NamedTuple, Optional, Union

from gluon_cbam import weights, zoo
from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.common.files import PathLike
from gluon_cbam.convert import files
from gluon_cbam.models import variant
from gluon_cbam.models.registry import check_options
from gluon_cbam.zoo.store import read_card

Progress = Callable[[int, Optional[int]], None]
"""Called while a file is downloaded, with the bytes that have arrived and the bytes of the file, None if unknown."""


class Weights(NamedTuple):
    """A parameter file whose hash was compared with its card.

    Attributes:
        path: the path of the file; None for random weights.
        card: the card of the file; None for a file without a card.
    """

    path: Optional[Path] = None
    card: Optional[zoo.Card] = None


def locate(
    network: str,
    pretrained: Union[bool, str],
    root: Optional[PathLike] = None,
    progress: Optional[Progress] = None,
    plain: Optional[str] = None,
) -> Weights:
    """Find the weights that ``get_model(..., pretrained=...)`` names.

    Args:
        network: name of the model.
        pretrained: True for the default weights of the model, a tag, or a path to a parameter file or a run folder.
        root: folder of the store, see :func:`gluon_cbam.zoo.get`.
        progress: see :func:`gluon_cbam.zoo.get`.
        plain: name of another model that the weights may be of; ``pretrained`` may be this name, too.

    Returns:
        The parameter file and its card.

    Raises:
        UsageError: there are no such weights, or they are of another model.
        DataError: the file in the store or the downloaded one is damaged.
        TransferError: the download or the disk failed.
    """
    file = file_named(None, pretrained)
    if file:
        return of_file(file, network, plain)
    return downloaded(published(network, pretrained, root, plain), root, progress)


def file_named(params: Optional[PathLike], pretrained: Union[bool, str]) -> Optional[PathLike]:
    """The parameter file or run folder that the arguments of a call name; None where they name published weights."""
    if params:
        return params
    return str(pretrained) if pretrained and pretrained is not True and _is_path(str(pretrained)) else None


def published(
    network: Optional[str],
    pretrained: Union[bool, str],
    root: Optional[PathLike] = None,
    plain: Optional[str] = None,
) -> zoo.Published:
    """Find the card of published weights; nothing is downloaded.

    Args:
        network: name of the model; default the one that the weights are of.
        pretrained: True for the default weights of the model, a tag, or the name of a model for its default weights.
        root: folder of the store, see :func:`gluon_cbam.zoo.get`.
        plain: name of another model that the weights may be of.

    Raises:
        UsageError: there are no such weights, or they are of another model.
    """
    wanted = network if pretrained is True else str(pretrained)
    if not wanted:
        raise UsageError(
            '--network is needed with --pretrained alone: give --network NAME, or --pretrained NETWORK or TAG'
        )
    card = zoo.find(wanted, root=root)
    if network and card.network not in (network, plain):
        raise UsageError(f'the weights {card.tag} are of {card.network}, not of {network}')
    return card


def downloaded(card: zoo.Published, root: Optional[PathLike] = None, progress: Optional[Progress] = None) -> Weights:
    """The parameter file of published weights, see :func:`get`, with the card next to it."""
    path = get(card, root, progress=progress)
    return _with_options(path, read_card(path))


def of_file(params: PathLike, network: Optional[str] = None, plain: Optional[str] = None) -> Weights:
    """Find a parameter file of the user.

    Args:
        params: a parameter file, or a run folder for its best checkpoint.
        network: name of the model that it must be of; default any.
        plain: name of another model that it may be of.

    Returns:
        The file and its card.

    Raises:
        UsageError: there is no such file.
        DataError: the card is damaged, or belongs to another file or another model.
    """
    path = weights.find_file(params)
    return _with_options(path, weights.read_card(path, network, plain))


def _with_options(path: Path, card: Optional[zoo.Card]) -> Weights:
    """A parameter file and its card, after a check of the options in the card."""
    if card:
        check_card(card, str(card_path(path)))
    return Weights(path, card)


def card_path(params: Path) -> Path:
    """The file that holds the card of a parameter file.

    Args:
        params: path of the parameter file.
    """
    return params if params.suffix == weights.files.TENSORS else params.with_suffix('.json')


def check_card(card: Union[zoo.Card, zoo.Published], where: str) -> None:
    """Check that the options of a card are those of its network.

    Args:
        card: the card, which anybody may have written.
        where: path or URL of the card, for the message.

    Raises:
        UsageError: no model has the name of its network.
        DataError: an option is not one of the network.
    """
    variant(card.network)
    try:
        check_options(card.network, card.options)
    except UsageError as error:
        raise DataError(f'{where}: options: {error}') from None


def get(
    card: zoo.Published,
    root: Optional[PathLike] = None,
    offline: Optional[bool] = None,
    progress: Optional[Progress] = None,
) -> Path:
    """Get the parameter file of a card: from the store, else downloaded and converted.

    Processes that need the same file at once download and convert it once.

    Args:
        card: the card of the weights.
        root: folder of the store, see :func:`gluon_cbam.zoo.get`.
        offline: see :func:`gluon_cbam.zoo.get`.
        progress: see :func:`gluon_cbam.zoo.get`.

    Returns:
        The path of the file in the store.

    Raises:
        UsageError: the model or the options of the card are unknown here.
        DataError: the downloaded file is not the one of the card, or does not fit the model. It is not kept.
        TransferError: the download or the disk failed.
    """
    check_card(card, f'{card.registry}: {card.tag}' if card.registry else card.tag)
    with ExitStack() as stack:

        def convert(card: zoo.Published, upstream: zoo.UpstreamFile) -> Path:
            folder = stack.enter_context(TemporaryDirectory(prefix='.converted-', dir=str(upstream.path.parent)))
            return _convert(card, upstream, Path(folder) / f'{card.tag}.params', root)

        return zoo.get(card, root, offline, progress, convert)


def _convert(card: zoo.Published, upstream: zoo.UpstreamFile, output: Path, root: Optional[PathLike]) -> Path:
    """Convert an upstream file to a parameter file of ours."""
    try:
        net = files.converted(upstream.path, card.network, card.conversion, card.options, card.classes)
    except DataError as error:
        zoo.forget(card, root)  # otherwise its hash would be recorded as the one of the right file
        raise DataError(f'{card.tag} from {upstream.url}: {error}') from error
    net.save_parameters(str(output))
    return output


def _is_path(pretrained: str) -> bool:
    """Whether ``pretrained`` is a path, and not a tag."""
    return os.path.exists(pretrained) or os.sep in pretrained or pretrained.endswith(('.params', weights.files.TENSORS))
