"""The network that the options of a command name, with its weights."""

from __future__ import annotations

import click

from gluon_cbam.cli.progress import byte_progress
from gluon_cbam.common.errors import UsageError
from gluon_cbam.training.config.settings import flag

NETWORK = ('network', 'classes', 'image_size', 'crop_ratio', 'option', 'batch_size', 'gpus', 'cpus', 'workers')


def load(network, params, pretrained, option, gpus, cpus, **changes):
    """The network that the options name, and its contexts."""
    from gluon_cbam.compat import devices
    from gluon_cbam.inference.network import load_network
    from gluon_cbam.pretrained.resolve import pretrained_of_flag

    if not network:
        raise UsageError('--network is needed')
    ctx = devices.contexts(gpus, cpus)
    pretrained = pretrained_of_flag(pretrained)
    with byte_progress(network) as progress:
        loaded = load_network(network, ctx, params, pretrained, options=option, progress=progress, **changes)
    return loaded, ctx


_EXPORTED = [
    click.option('--exported', metavar='FILE', help='a network that cbam export wrote: .onnx or -symbol.json'),
    click.option('--engine', default='auto', show_default=True, help='of it: onnxruntime, openvino or mxnet'),
]
# what an exported file has decided
_DECIDED = ('params', 'pretrained', 'classes', 'image_size', 'crop_ratio', 'option', 'gpus', 'cpus')


def exported_options(function):
    """Adds --exported and --engine."""
    for option in reversed(_EXPORTED):
        function = option(function)
    return function


def load_exported(exported, engine, network, **settings):
    """The exported file that the options name."""
    from gluon_cbam.export.runtime import load_exported as run

    given = next((name for name in _DECIDED if settings.get(name) not in (None, {}, ())), None)
    if given:
        raise UsageError(f'--exported knows its network and weights: leave {flag(given)} out')
    loaded = run(exported, engine)
    if network not in (None, loaded.name):
        raise UsageError(f'{exported} is of {loaded.name}, not of {network}')
    return loaded
