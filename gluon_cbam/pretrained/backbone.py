"""Detectors and networks of segmentation that start from the weights of their backbone."""

from __future__ import annotations

from typing import List, Optional, Union

import mxnet as mx

from gluon_cbam import weights, zoo
from gluon_cbam.common.files import PathLike
from gluon_cbam.models import variant

from . import locate

PREFIX = 'backbone.'
"""The beginning of the names of a backbone's parameters in a detector."""


def starts_from_backbone(name: Optional[str], pretrained: Union[bool, str], root: Optional[PathLike] = None) -> bool:
    """Whether weights to start from are of the backbone of a model.

    Args:
        name: name of the model, or None.
        pretrained: True, a tag, the name of a model, a parameter file or a run folder; False for no weights.
        root: folder of the store of published weights.

    Returns:
        True for a detector and weights of another model; True where detectors without weights of their own start from
        default weights.

    Raises:
        CbamError: there are no such weights, or they are damaged.
    """
    if not name or not pretrained or not hasattr(variant(name), 'backbone'):
        return False
    file = locate.file_named(None, pretrained)
    if file:
        found = locate.of_file(file)
        if found.card:
            return found.card.network != name
        return not any(key.startswith(PREFIX) for key in weights.read_arrays(found.path or file))
    cards = zoo.cards(root=root)
    if pretrained is True:
        return all(card.network != name for card in cards)
    return all(card.network != name for card in cards if pretrained in (card.tag, card.network))


def copy_backbone(source: mx.gluon.Block, net: mx.gluon.Block) -> List[str]:
    """Copy the parameters of a network to the detector whose backbone it is.

    Args:
        source: the network, initialized.
        net: the detector, initialized.

    Returns:
        The names of the parameters of the detector that were set.
    """
    theirs = source._collect_params_with_prefix()
    chosen = {name: theirs[name[len(PREFIX) :]] for name in net._collect_params_with_prefix()
              if name[len(PREFIX) :] in theirs and name.startswith(PREFIX)}  # fmt: skip
    weights.assignment.set_parameters(net, {name: parameter.data() for name, parameter in chosen.items()})
    return list(chosen)
