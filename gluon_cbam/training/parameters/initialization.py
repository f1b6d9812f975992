"""What the parameters are before the first step: random, or those of other weights."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Dict, Iterator, Optional

import mxnet as mx

from gluon_cbam import weights, zoo
from gluon_cbam.common.errors import UsageError
from gluon_cbam.common.files import sha256
from gluon_cbam.pretrained import locate

if TYPE_CHECKING:
    from gluon_cbam.training.loop.setup import Setup

_log = logging.getLogger('gluon_cbam.training')


@dataclass(frozen=True)
class Source:
    """Weights to start from.

    Attributes:
        name: as it was given, or the tag of published weights.
        path: of the file.
        sha256: of the file.
        card: of the file, if it has one.
    """

    name: str
    path: Path
    sha256: str
    card: Optional[zoo.Card]

    def as_dict(self) -> Dict[str, str]:
        """What cards say of it."""
        return {'source': self.name, 'sha256': self.sha256}


def find_source(network: str, pretrained: Optional[str]) -> Optional[Source]:
    """The weights of ``--pretrained``.

    Args:
        network: its name.
        pretrained: a tag, a parameter file, a run folder, or the empty text for the published weights of the network;
            None for random ones.

    Raises:
        UsageError: there are none.
        DataError: they are damaged, or of another network.
    """
    if pretrained is None:
        return None
    path, card = locate.locate(network, pretrained or True)
    return Source(pretrained or card.tag, path, card.sha256 if card else sha256(path), card)


def initialise(setup: Setup) -> None:
    """Give every parameter of a network its first value."""
    net, source = setup.net, setup.source
    if source is None:
        net.initialize(ctx=setup.ctx)
    else:
        _log.info('starts from %s (SHA-256 %s)', source.path, source.sha256)
        weights.load_for_fine_tuning(net, source.path, setup.ctx)
    if setup.config.zero_gamma:
        for norm in _last_norms(net):
            norm.gamma.set_data(mx.nd.zeros(norm.gamma.shape))


def check_zero_gamma(net: mx.gluon.Block, network: str) -> None:
    """Check that a network has residual blocks that end with a BatchNorm.

    Raises:
        UsageError: it has none.
    """
    if next(_last_norms(net), None) is None:
        raise UsageError(f'--zero-gamma is for residual networks: {network} has no block that ends with a BatchNorm')


def _last_norms(block: mx.gluon.Block) -> Iterator[mx.gluon.nn.BatchNorm]:
    """The last BatchNorm of every residual block below a block."""
    if hasattr(block, 'last_norm'):
        yield block.last_norm
    for child in block._children.values():
        yield from _last_norms(child)
