"""Published weights, ready to load: from the store, else downloaded and converted to a parameter file of ours."""

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
from gluon_cbam.zoo.store import read_card


class Weights(NamedTuple):
    """A parameter file, compared with its card.

    Attributes:
        path: of the file; None for random weights.
        card: beside it; None for a file of the user that has none.
    """

    path: Optional[Path] = None
    card: Optional[zoo.Card] = None


def locate(
    network: str,
    pretrained: Union[bool, str],
    root: Optional[PathLike] = None,
    progress: Optional[Callable[[int, Optional[int]], None]] = None,
) -> Weights:
    """The weights that ``get_model(..., pretrained=...)`` means.

    Args:
        network: its name.
        pretrained: True for the default weights of that name, a tag, or a path to a parameter file or a run folder.
        root: of the store, as of :func:`gluon_cbam.zoo.get`.
        progress: as of :func:`gluon_cbam.zoo.get`.

    Raises:
        UsageError: there are no such weights, or they are another network's.
        DataError: what is there, or what came, is damaged.
        TransferError: the network or the disk failed.
    """
    if pretrained is not True and _is_path(pretrained):
        return of_file(pretrained, network)
    card = zoo.find(network if pretrained is True else pretrained, root=root)
    if card.network != network:
        raise UsageError(f'the weights {card.tag} are of {card.network}, not of {network}')
    path = get(card, root, progress=progress)
    return Weights(path, read_card(path))


def of_file(params: PathLike, network: Optional[str] = None) -> Weights:
    """A parameter file of the user, or the best of a run folder; errors as of :func:`.weights.card_beside`."""
    path = weights.find_file(params)
    return Weights(path, weights.card_beside(path, network))


def get(
    card: zoo.Published,
    root: Optional[PathLike] = None,
    offline: Optional[bool] = None,
    progress: Optional[Callable[[int, Optional[int]], None]] = None,
) -> Path:
    """The parameter file of a card: from the store, else downloaded and converted; ten processes do so once.

    Args:
        card: of the weights.
        root: as of :func:`gluon_cbam.zoo.get`.
        offline: as of :func:`gluon_cbam.zoo.get`.
        progress: as of :func:`gluon_cbam.zoo.get`.

    Raises:
        UsageError: the card's network or options are unknown here.
        DataError: what came is not what the card says, or does not fit its network. The store is left without it.
        TransferError: the network or the disk failed.
    """
    variant(card.network)
    with ExitStack() as stack:

        def convert(card: zoo.Published, original: zoo.UpstreamFile) -> Path:
            folder = stack.enter_context(TemporaryDirectory(prefix='.converted-', dir=str(original.path.parent)))
            return _convert(card, original, Path(folder) / f'{card.tag}.params', root)

        return zoo.get(card, root, offline, progress, convert)


def _convert(card: zoo.Published, original: zoo.UpstreamFile, output: Path, root: Optional[PathLike]) -> Path:
    try:
        net = files.converted(original.path, card.network, card.conversion, card.options, card.classes)
    except DataError as error:
        zoo.forget(card, root)  # else its hash would stand for the file that it is not
        raise DataError(f'{card.tag} from {original.url}: {error}') from error
    net.save_parameters(str(output))
    return output


def _is_path(pretrained: str) -> bool:
    return os.path.exists(pretrained) or os.sep in pretrained or pretrained.endswith('.params')
