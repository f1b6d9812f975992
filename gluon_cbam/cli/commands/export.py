"""``cbam export``."""

from __future__ import annotations

import click

from gluon_cbam.cli.options import settings_options, weights_options
from gluon_cbam.cli.output import common_options
from gluon_cbam.common.errors import UsageError

from .network_options import load

_NETWORK = ('classes', 'image_size', 'crop_ratio', 'option')


def _stages(ctx, param, text):
    """``1,2,3`` as numbers."""
    try:
        return tuple(int(part) for part in text.split(',')) if text else None
    except ValueError:
        raise UsageError(f'--features takes stages such as 1,2,3, got {text!r}') from None


@click.command()
@settings_options('network')
@weights_options
@click.option('--format', 'form', default='onnx', show_default=True, help='symbol, onnx, onnx-int8 or safetensors')
@click.option('--output', '-o', required=True, metavar='FILE', help='file to write; for symbol the prefix of the files')
@click.option('--preprocessing', is_flag=True, help='inside: (N, H, W, 3) uint8 RGB goes in')
@click.option('--features', callback=_stages, metavar='N,N,...', help='maps of these stages, from 0, instead of logits')
@click.option('--opset', type=int, metavar='N', help='of ONNX; default 17')
@click.option('--engine', default='onnxruntime', show_default=True, help='that onnx is tuned for; or openvino')
@click.option('--data-val', '--rec-val', 'data_val', metavar='FILE', help='a .rec file to compare on')
@click.option('--image', 'images', multiple=True, metavar='FILE', help='an image to compare on; may be given again')
@click.option('--calibration', metavar='FILE', help='a .rec file for the ranges of eight bits')
@click.option('--calibration-images', default=128, show_default=True, type=click.IntRange(1), metavar='N', help='of it')
@click.option('--attention', default='auto', show_default=True, help='of eight bits: int8, float, or auto by the error')
@settings_options(*_NETWORK)
@common_options
def export(form, output, **arguments):
    """Write a network for other engines: ONNX, a symbol of stock MXNet, safetensors.

    The file is compared with MXNet, on the images of --data-val or --image if there are some, before it is kept.
    """
    from gluon_cbam.export.exporting import export as run

    request, samples = _request(form=form, **arguments)
    report = run(request, form, output, samples)
    value = {
        'network': request.loaded.name,
        'params_sha256': request.loaded.params_sha256,
        'format': form,
        'files': [str(path) for path in report.files],
        **report.details,
    }
    if report.difference:
        value['largest_difference'] = report.difference.largest
        value['largest_output'] = report.difference.scale
        value['compared_on'] = f'{report.difference.images} {report.origin}'
    return value, '\n'.join(_lines(value, request.loaded.task))


def _request(form, params, preprocessing, features, opset, engine, data_val, images, **rest):
    """What to export, and the images to compare on."""
    from gluon_cbam.data.records.recordio import RecordFile
    from gluon_cbam.export.exporting import Request
    from gluon_cbam.export.int8.quantization import Calibration
    from gluon_cbam.export.onnx.graph import DEFAULT_OPSET
    from gluon_cbam.export.samples import samples

    calibration, count, attention = (rest.pop(name) for name in ('calibration', 'calibration_images', 'attention'))
    loaded, _ = load(params=params, gpus=None, cpus=None, features=features, **rest)
    if loaded.params_sha256 is None:
        click.echo('cbam: no --params and no --pretrained: the weights are random', err=True)
    size, scored = loaded.preprocessing.image_size, form == 'onnx-int8' and features is None
    records = None
    if data_val:
        records = loaded.task.open_validation(data_val, loaded.classes) if scored else RecordFile(data_val)
    ranges = Calibration(samples(size, RecordFile(calibration), count=count), attention) if calibration else None
    request = Request(loaded, preprocessing, opset or DEFAULT_OPSET, engine, ranges, None if features else records)
    return request, samples(size, records, images)


def _lines(value, task):
    """The human-readable report."""
    yield from value['files']
    if 'largest_difference' in value:
        yield (
            f'differs from MXNet by {value["largest_difference"]:.3g} at most, where the largest output is '
            f'{value["largest_output"]:.3g}, on {value["compared_on"]}'
        )
    if 'error' in value:
        yield (
            f'eight bits, attention in {value["attention"]}: mean error of the outputs {100 * value["error"]:.2f} % of '
            f'their spread, on {value["calibration_images"]} images'
        )
    for row in value.get('speed', ()):
        yield (
            f'batch {row["batch"]}: {row["float32"]:.2f} ms in float32, {row["int8"]:.2f} ms in eight bits '
            f'({row["ratio"]:.2f} x)'
        )
    for name, scored in value.get('accuracy', {}).items():
        yield f'{name}: {task.text(scored, task.compared)} of {scored["records"]} records'
