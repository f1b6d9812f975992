"""Networks by name."""

from __future__ import annotations

from fnmatch import fnmatchcase
from importlib import import_module
from typing import TYPE_CHECKING, List, Optional, Union

from gluon_cbam.common.errors import UsageError, closest
from gluon_cbam.common.natural_sort import naturally_sorted

from .variants import VARIANTS

if TYPE_CHECKING:
    import mxnet as mx


def list_models(pattern: Optional[str] = None) -> List[str]:
    """The names that :func:`get_model` takes, naturally sorted.

    Args:
        pattern: a shell pattern such as ``cbam_*``; default all.
    """
    return naturally_sorted(name for name in VARIANTS if fnmatchcase(name, pattern or '*'))


def variant(name: str):
    """The row of a network.

    Raises:
        UsageError: no network has this name; the message names the closest.
    """
    try:
        return VARIANTS[name]
    except KeyError:
        raise UsageError(f'unknown network {name!r}: {closest(name, VARIANTS)}') from None


def option_names(name: str) -> List[str]:
    """The options that :func:`get_model` takes for a network.

    Raises:
        UsageError: no network has this name.
    """
    row = variant(name)
    return _family(row).options(row)


def _family(row):
    return import_module(f'.{row.module}', __package__)


def get_model(
    name: str,
    pretrained: Union[bool, str] = False,
    classes: Optional[int] = None,
    ctx: Optional[mx.Context] = None,
    root: Optional[str] = None,
    **options,
):
    """A network by name.

    Args:
        name: one of :func:`list_models`.
        pretrained: False for a network that is not initialised yet; True for the default weights of that name; a
            weight's tag; or a path to a parameter file.
        classes: outputs of the last layer; default those of the pretrained weights, else 1000. With pretrained weights
            of another number of classes, or with another ``in_channels``, what does not fit starts anew, and a warning
            of the log says which parameters.
        ctx: where pretrained parameters are put, one context or a list; default the CPU.
        root: folder of the store of published weights; default as of :func:`gluon_cbam.zoo.location.root_of`.
        **options: of the family, for instance ``reduction`` or ``bottleneck_stride``; those that are not given are the
            pretrained weights'.

    Returns:
        mxnet.gluon.HybridBlock: maps (N, 3, H, W) to logits (N, classes).

    Raises:
        UsageError: unknown name, option or weights; a ValueError, with the closest known names.
        DataError: the parameter file is damaged or does not fit.
        TransferError: published weights that are not in the store could not be downloaded.
    """
    _check_options(name, options)
    if not pretrained:
        return _built(name, classes, options)
    from gluon_cbam import weights
    from gluon_cbam.pretrained import locate

    path, card = locate.locate(name, pretrained, root)
    if card:
        classes, options = card.classes if classes is None else classes, {**card.options, **options}
        _check_options(name, options)
    net = _built(name, classes, options)
    weights.load_for_fine_tuning(net, path, ctx)
    return net


def _built(name, classes, options):
    row = variant(name)
    return _family(row).build(row, classes=1000 if classes is None else classes, **options)


def _check_options(name, options) -> None:
    known = set(option_names(name))
    for option in options:
        if option not in known:
            raise UsageError(f'{name} has no option {option!r}: {closest(option, sorted(known))}')
