"""Measures CBAM-ResNet-50 in native int8 and in float32, interleaved in one process.

    .venv/bin/python scripts/benchmark_int8.py --batch 1 --batch 8

All weights are random, including BatchNorm, so that the error shows the effect of the arithmetic only: the mean
absolute difference of the logits, divided by the mean standard deviation of the logits of an image.
"""

from __future__ import annotations

import json as json_module
import os

import click

SIZE, CALIBRATION, UNSEEN = 224, 16, 16


@click.command(help=__doc__)
@click.option('--network', default='cbam_resnet50', show_default=True)
@click.option('--batch', 'batches', default=(1, 8), multiple=True, type=click.IntRange(1))
@click.option('--threads', type=click.IntRange(1), help='number of threads  [the physical cores]')
@click.option('--repetitions', default=20, show_default=True, type=click.IntRange(3))
@click.option('--json', 'as_json', is_flag=True, help='print one JSON object, for the last batch')
def main(network, batches, threads, repetitions, as_json):
    if threads:
        os.environ['OMP_NUM_THREADS'] = str(threads)
    import numpy as np

    import gluon_cbam
    from gluon_cbam.common.timing import Timing, interleaved

    net = _network(network)
    images = np.random.RandomState(0).randn(CALIBRATION + UNSEEN, 3, SIZE, SIZE).astype('float32')
    quantized = gluon_cbam.quantize(net, np.split(images[:CALIBRATION], 2))
    error = _error(net, quantized, images[CALIBRATION:])
    for batch in batches:
        calls = {'float32': _call(net, images[:batch]), 'native INT8': _call(quantized, images[:batch])}
        taken = {name: Timing.of(seconds) for name, seconds in interleaved(calls, repetitions, 3).items()}
        ratio = taken['float32'].median / taken['native INT8'].median
        result = {
            'ratio': ratio,
            'error': error,
            'repetitions': repetitions,
            'sides': [{'name': f'{network}, {n}', 'milliseconds': t._asdict()} for n, t in taken.items()],
        }
        text = ', '.join(f'{name} {timing.median:.1f} ms' for name, timing in taken.items())
        click.echo(f'batch {batch}: {text}: {ratio:.2f} times as fast, error {error:.2%} of the spread', err=as_json)
    if as_json:
        click.echo(json_module.dumps(result))


def _network(name):
    """A network with random weights, including the parameters of BatchNorm."""
    import mxnet as mx

    import gluon_cbam

    mx.random.seed(0)
    net = gluon_cbam.get_model(name)
    net.initialize()
    for parameter in net.collect_params('.*(gamma|running_var)').values():
        parameter.set_data(mx.nd.random.uniform(0.5, 1.5, shape=parameter.shape))
    for parameter in net.collect_params('.*(beta|running_mean)').values():
        parameter.set_data(mx.nd.random.normal(0, 0.1, shape=parameter.shape))
    net.hybridize(static_alloc=True, static_shape=True)
    return net


def _error(net, quantized, images):
    import mxnet as mx
    import numpy as np

    expected, found = (block(mx.nd.array(images)).asnumpy() for block in (net, quantized))
    return float(np.abs(expected - found).mean() / expected.std(axis=1).mean())


def _call(block, images):
    import mxnet as mx

    from gluon_cbam.common.timing import timed

    x = mx.nd.array(images)
    return timed(lambda: block(x).wait_to_read())


if __name__ == '__main__':
    main()
