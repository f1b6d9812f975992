"""``cbam export``: ONNX, MXNet symbols and safetensors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, Iterator, Optional, Tuple

import click

from gluon_cbam.cli.options import add_options, force_option, settings_options, weights_options
from gluon_cbam.cli.output import common_options
from gluon_cbam.common.errors import UsageError
from gluon_cbam.common.printable import printable

from .network_options import check_data, load, show_warnings

if TYPE_CHECKING:
    from gluon_cbam.export.request import ExportReport, ExportRequest
    from gluon_cbam.export.samples import SampleImages
    from gluon_cbam.tasks import Task
    from gluon_cbam.tasks.classes import ClassCheck


def _stages(ctx: click.Context, param: click.Parameter, text: Optional[str]) -> Optional[Tuple[int, ...]]:
    """Parse stages such as ``1,2,3``."""
    try:
        return tuple(int(part) for part in text.split(',')) if text else None
    except ValueError:
        raise UsageError(f'--features takes stages such as 1,2,3, got {text!r}') from None


_FORMAT = [
    click.option(
        '--format',
        'file_format',
        default='onnx',
        show_default=True,
        help='symbol, insightface, onnx, onnx-float16, onnx-int8 or safetensors',
    ),
    click.option(
        '--output',
        '-o',
        required=True,
        metavar='FILE',
        help='file to write; prefix of the files, or one of them, for symbol and insightface',
    ),
    click.option(
        '--preprocessing',
        is_flag=True,
        help='include preprocessing in the file, which then takes (N, H, W, 3) uint8 RGB',
    ),
    click.option(
        '--features',
        callback=_stages,
        metavar='N,N,...',
        help='feature maps of these stages, from 0, instead of logits',
    ),
    click.option(
        '--dynamic', is_flag=True, help='height and width of the images are free in the file, as the batch is'
    ),
    click.option(
        '--nms/--no-nms',
        default=True,
        help='of a detector, detections after non-maximum suppression, or boxes and scores before it  [nms]',
    ),
    click.option('--opset', type=int, metavar='N', help='ONNX opset  [17]'),
    click.option(
        '--engine', default='onnxruntime', show_default=True, help='engine to optimize onnx for, or openvino, or gpu'
    ),
]
_SAMPLES = [
    click.option('--data-val', '--rec-val', 'data_val', metavar='FILE', help='a .rec file to compare on'),
    click.option('--image', 'images', multiple=True, metavar='FILE', help='an image to compare on; may be repeated'),
]
_INT8 = [
    click.option('--calibration', metavar='FILE', help='a .rec file to calibrate int8 on'),
    click.option(
        '--calibration-images',
        default=128,
        show_default=True,
        type=click.IntRange(1),
        metavar='N',
        help='number of images from --calibration',
    ),
    click.option(
        '--attention', default='auto', show_default=True, help='in onnx-int8: int8, float, or auto, chosen by the error'
    ),
]


@click.command()
@settings_options('network')
@weights_options
@add_options([*_FORMAT, *_SAMPLES, *_INT8])
@settings_options('classes', 'image_size', 'crop_ratio', 'resize', 'option', 'label_index', 'ignore_classes')
@force_option
@common_options
def export(file_format: str, output: str, overwrite: bool, **arguments: Any) -> Tuple[Dict[str, Any], str]:
    """Write a network for other engines: ONNX, a symbol of stock MXNet or of insightface, safetensors.

    Before the file gets its name, its outputs are compared with MXNet, on the images of --data-val or --image if given.
    """
    from gluon_cbam.common.files import refuse_existing
    from gluon_cbam.export.exporter import export_network, written_files

    refuse_existing(written_files(file_format, output), overwrite)  # before the network is loaded
    request, samples, checked = _request(file_format=file_format, **arguments)
    report = export_network(request, file_format, output, samples)
    show_warnings(checked)
    value: Dict[str, Any] = {
        'network': request.loaded.name,
        'params_sha256': request.loaded.params_sha256,
        'format': file_format,
        'files': [str(path) for path in report.files],
        **report.details,
    }
    value.update(_compared(report))
    value.update(checked.as_dict())
    return value, '\n'.join(_lines(value, request.loaded.task))


def _compared(report: ExportReport) -> Dict[str, Any]:
    """What was compared with MXNet, if anything."""
    found = report.difference
    if found is None:
        return {}
    value = {'largest_difference': found.largest, 'largest_output': found.scale, 'compared_on': report.images}
    if found.rows is not None:
        value['detections'] = {'compared': found.rows.rows, 'agreeing': found.rows.agreeing}
    if report.sizes:
        value['further_sizes'] = [list(size) for size in report.sizes]
    return value


def _request(
    file_format: str,
    preprocessing: bool,
    opset: Optional[int],
    engine: str,
    data_val: Optional[str],
    images: Tuple[str, ...],
    calibration: Optional[str],
    calibration_images: int,
    attention: str,
    features: Optional[Tuple[int, ...]],
    dynamic: bool,
    nms: bool,
    ignore_classes: bool,
    **options: Any,
) -> Tuple[ExportRequest, SampleImages, ClassCheck]:
    """The request, the images to compare on, and the comparison of the names of the classes."""
    from gluon_cbam.export.int8.quantization import Calibration
    from gluon_cbam.export.onnx.graph import DEFAULT_OPSET
    from gluon_cbam.export.request import ExportRequest
    from gluon_cbam.export.samples import sample_images, task_images
    from gluon_cbam.export.tracing import GraphKind
    from gluon_cbam.tasks.classes import ClassCheck

    loaded, _ = load(gpus=None, cpus=None, features=features, **options)
    if loaded.params_sha256 is None:
        click.echo('cbam: no --params and no --pretrained: the weights are random', err=True)
    task, validation = loaded.task, None
    if data_val and file_format == 'onnx-int8' and features is None:
        validation = task.open_validation(data_val, loaded.classes)
    checked = ClassCheck()
    for path, opened in ((data_val, validation), (calibration, None)):
        if path and features is None:
            checked += check_data(loaded, path, ignore_classes, opened)
    calibrated = None
    if calibration:
        calibrated = Calibration(task_images(task, calibration, calibration_images), attention)
    graph = GraphKind(dynamic, nms)
    request = ExportRequest(loaded, preprocessing, opset or DEFAULT_OPSET, engine, calibrated, validation, graph)
    if data_val:
        return request, task_images(task, data_val), checked
    return request, sample_images(loaded.preprocessing.image_size, files=images), checked


def _lines(value: Dict[str, Any], task: Task) -> Iterator[str]:
    """The human-readable report."""
    yield from map(printable, value['files'])
    if 'largest_difference' in value:
        yield (
            f'differs from MXNet by {value["largest_difference"]:.3g} at most, where the largest output is '
            f'{value["largest_output"]:.3g}, on {value["compared_on"]}'
        )
    if 'detections' in value:
        yield '{agreeing} of {compared} detections agree with MXNet'.format(**value['detections'])
    if 'further_sizes' in value:
        sizes = ', '.join(f'{height} x {width}' for height, width in value['further_sizes'])
        yield f'height and width are free; also compared at {sizes}'
    if 'error' in value:
        yield (
            f'int8, attention in {value["attention"]}: mean error of the outputs {100 * value["error"]:.2f} % of their '
            f'standard deviation, on {value["calibration_images"]} images'
        )
    for row in value.get('speed', ()):
        yield (
            f'batch {row["batch"]}: {row["float32"]:.2f} ms in float32, {row["int8"]:.2f} ms in int8 '
            f'({row["ratio"]:.2f} x)'
        )
    for name, scored in value.get('accuracy', {}).items():
        yield f'{name}: {task.text(scored, task.compared_in(scored))} of {scored["records"]} records'
