"""The network that the options of a command name, with its weights."""

from __future__ import annotations

from ..console import byte_progress
from ..errors import UsageError

NETWORK = ('network', 'classes', 'image_size', 'crop_ratio', 'option', 'batch_size', 'gpus', 'cpus', 'workers')


def load(network, params, pretrained, option, gpus, cpus, **changes):
    """The network that the options name, and its contexts."""
    from .. import devices
    from ..inference import load_network

    if not network:
        raise UsageError('--network is needed')
    ctx = devices.contexts(gpus, cpus)
    pretrained = True if pretrained == '' else pretrained
    with byte_progress(network) as progress:
        loaded = load_network(network, ctx, params, pretrained or False, options=option, progress=progress, **changes)
    return loaded, ctx
