"""The backbone of a detector: a network of this package with stages, by name, and the options for it."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from inspect import signature
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Tuple

from mxnet.gluon import HybridBlock

from gluon_cbam.attention import ATTENTIONS
from gluon_cbam.common.errors import closest
from gluon_cbam.models.options import option_names
from gluon_cbam.models.registry import family, variant
from gluon_cbam.models.variants import VARIANTS, Variant

PLACES = ('backbone', 'heads', 'both')
"""Where the attention of a detector may be."""
_NOT_OF_BACKBONES = ('embedding', 'embedding_head', 'image_size', 'include_top', 'channel_l2', 'spatial_l2')
"""Options of heads and of penalties, which are not part of a backbone."""


class Parts(NamedTuple):
    """What a detector is built from.

    Attributes:
        network: the backbone, not initialized.
        attention: makes an attention module of the heads from the number of channels; None for heads without.
    """

    network: HybridBlock
    attention: Optional[Callable[[int], HybridBlock]]


def build_parts(backbone: str, attention: Optional[str], attention_in: str, options: Mapping[str, Any]) -> Parts:
    """Build the backbone of a detector, and choose the attention of its heads.

    Args:
        backbone: name of a network with stages; see :func:`is_backbone`.
        attention: a key of :data:`gluon_cbam.attention.ATTENTIONS`, or None.
        attention_in: one of :data:`PLACES`.
        options: options of the backbone and of the attention; each must be of one of them.

    Raises:
        ValueError: a name is unknown, or an option does not fit.
    """
    row = attended_row(backbone, attention, attention_in)
    of_backbone = options_of(row)
    module = ATTENTIONS[attention] if attention is not None and attention_in != 'backbone' else None
    of_heads = option_names(module) if module else []
    for name in options:
        if name not in of_backbone and name not in of_heads:
            known = sorted({*of_backbone, *of_heads})
            raise ValueError(f'neither {row.name} nor the attention has an option {name!r}: {closest(name, known)}')
    network = family(row).build(row, **_chosen(options, of_backbone))
    return Parts(network, partial(module, **_chosen(options, of_heads)) if module else None)


def chosen_backbone(detector: type, default: str, options: Mapping[str, Any]) -> Tuple[str, Dict[str, Any]]:
    """Find the backbone of a detector.

    Args:
        detector: the class of the detector.
        default: the name of its backbone where the options have none.
        options: the options of the detector.

    Returns:
        The name of the network, and those of the options that are its own.

    Raises:
        ValueError: an option does not fit.
    """
    place = signature(detector).parameters['attention_in'].default
    row = attended_row(options.get('backbone') or default, options.get('attention'), options.get('attention_in', place))
    return row.name, _chosen(options, options_of(row))


def attended_row(backbone: str, attention: Optional[str], attention_in: str) -> Variant:
    """Look up the row of a backbone with the attention of its detector; see :func:`build_parts`."""
    if attention_in not in PLACES:
        raise ValueError(f'unknown attention_in {attention_in!r}: {closest(attention_in, PLACES)}')
    if attention is not None and attention not in ATTENTIONS:
        raise ValueError(f'unknown attention {attention!r}: {closest(attention, ATTENTIONS)}')
    row = backbone_row(backbone)
    return row if attention_in == 'heads' else _with_attention(row, attention)


def options_of(row: Variant) -> List[str]:
    """List the options of a network that it has as a backbone, too."""
    return [name for name in family(row).options(row) if name not in _NOT_OF_BACKBONES]


def backbone_row(name: str) -> Variant:
    """Look up the row of a backbone.

    Raises:
        UsageError: no model has this name.
        ValueError: the model cannot be a backbone.
    """
    row = variant(name)
    if not is_backbone(row):
        names = [each for each, row in VARIANTS.items() if is_backbone(row)]
        raise ValueError(f'{name} cannot be a backbone: {closest(name, names)}')
    return row


def is_backbone(row: Variant) -> bool:
    """Whether detectors can have a network as their backbone: it has stages, and takes images of the usual mean."""
    return not hasattr(row, 'backbone') and not hasattr(row, 'std')


def known_options() -> List[str]:
    """List the options that any backbone or any attention has."""
    rows = {row.module: row for row in VARIANTS.values() if is_backbone(row)}.values()
    names = [name for row in rows for name in options_of(row)]
    return list(dict.fromkeys([*names, *option_names(*ATTENTIONS.values())]))


def _with_attention(row: Variant, attention: Optional[str]) -> Variant:
    """The row of the same network with attention."""
    if attention is None:
        return row
    if not hasattr(row, 'attention'):
        raise ValueError(f'{row.name} has attention of its own: use attention_in=heads, or another backbone')
    if row.attention not in (None, attention):
        raise ValueError(f'{row.name} has {row.attention} attention, got attention={attention!r}: leave one out')
    same = (each for each in VARIANTS.values() if type(each) is type(row))
    wanted = replace(row, attention=attention)  # type: ignore[arg-type]
    return next((each for each in same if replace(each, name=row.name) == wanted), wanted)


def _chosen(options: Mapping[str, Any], names: List[str]) -> Dict[str, Any]:
    return {name: value for name, value in options.items() if name in names}
