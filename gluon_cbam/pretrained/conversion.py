"""Conversion of parameter files of other implementations to ours, with a card, and back."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, List, Optional

from gluon_cbam import weights
from gluon_cbam.common.errors import UsageError
from gluon_cbam.common.files import PathLike
from gluon_cbam.convert.files import checkpoint_files, converted, write_source
from gluon_cbam.convert.loading import scheme_of
from gluon_cbam.data.loading.preprocessing import Preprocessing

from .resolve import resolve


def written_files(output: PathLike, source: str, reverse: bool = False) -> List[Path]:
    """The files that :func:`from_source` writes, or :func:`to_source` where ``reverse`` is set.

    Args:
        output: see there.
        source: see there.
        reverse: which of them.
    """
    output = Path(output)
    if not reverse:
        return [output, output.with_suffix('.json')]
    return checkpoint_files(output) if source == 'modified' and output.suffix != '.npz' else [output]


def from_source(
    path: PathLike,
    output: PathLike,
    network: str,
    source: str,
    options: Optional[Dict[str, Any]] = None,
    classes: Optional[int] = None,
    no_head: bool = False,
    state_dict: Optional[str] = None,
) -> List[Path]:
    """Convert a parameter file of a source to ours.

    Args:
        path: the file, see :func:`gluon_cbam.convert.files.read_arrays`.
        output: the file to write, ending in ``.params``; the card gets the ending ``.json``.
        network: name of the model.
        source: see :func:`gluon_cbam.convert.load_arrays`.
        options: the options of the model's family.
        classes: outputs of the network; default 1000; without effect on models that give embeddings.
        no_head: whether the file may lack the head, or have one of another size; it is initialized as in a new network
            then, and a warning lists its parameters.
        state_dict: name of the state_dict in a checkpoint of PyTorch that holds several, such as ``model_ema``; default
            the plain model.

    Returns:
        The files written.

    Raises:
        UsageError: an unknown name, option or format.
        DataError: the file is damaged or does not fit.
    """
    output = Path(output)
    if output.suffix != '.params':
        raise UsageError(f'our parameters end in .params, got {str(output)!r}')
    scheme_of(source)
    model = resolve(network, classes=classes or None, options=options)
    net = converted(path, network, source, model.options, model.classes, no_head, state_dict)
    preprocessing = Preprocessing.of(model.variant, image_size=getattr(net, 'image_size', None))
    weights.save(
        net,
        output,
        network=network,
        classes=getattr(net, 'outputs', model.classes),
        options=model.options,
        preprocessing=preprocessing.of_channels(model.preprocessing.channels).as_dict(),
        source=source,
    )
    return written_files(output, source)


def to_source(
    path: PathLike,
    output: PathLike,
    network: str,
    source: str,
    options: Optional[Dict[str, Any]] = None,
    classes: Optional[int] = None,
) -> List[Path]:
    """Convert a parameter file of ours to a source's.

    Args:
        path: our parameter file, or a run folder.
        output: see :func:`gluon_cbam.convert.files.write_source`.
        network: name of the model.
        source: see :func:`gluon_cbam.convert.load_arrays`.
        options: the options of the model's family; default those of the card.
        classes: outputs of the network; default those of the card, else 1000.

    Returns:
        The files written.

    Raises:
        UsageError: an unknown name, option or format, or the source has no such network.
        DataError: the file is damaged or does not fit.
    """
    scheme_of(source)
    model = resolve(network, params=path, classes=classes or None, options=options)
    net = model.build()
    model.initialize(net)
    return write_source(net, output, source)
