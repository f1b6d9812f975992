"""``cbam data``: making, listing, packing and indexing RecordIO files."""

from __future__ import annotations

import os
from typing import Any, Callable, Dict, Optional, Tuple, TypeVar

import click

from gluon_cbam.cli.errors import Group
from gluon_cbam.cli.options import depth_option, force_option, settings_options
from gluon_cbam.cli.output import common_options
from gluon_cbam.cli.progress import progress_bar
from gluon_cbam.common.errors import UsageError
from gluon_cbam.common.printable import printable

from .box_formats import format_option, has_boxes, split_option
from .data_boxes import data_convert, data_draw, data_trees, list_result, pack_result
from .data_face_folders import data_faces
from .data_faces import data_merge, data_select
from .data_fashion import data_fashion
from .data_masks import list_result as list_masks_result
from .data_masks import masks_option, takes_masks
from .data_masks import pack_result as pack_masks_result
from .data_pairs import data_pairs
from .data_reports import data_check, data_stats


@click.group(cls=Group)
def data() -> None:
    """RecordIO files and pictures with boxes or masks: make, check, convert and describe them."""


for _command in (
    data_check, data_stats, data_convert, data_draw, data_trees, data_merge, data_select, data_pairs, data_faces,
    data_fashion,
):  # fmt: skip
    data.add_command(_command)

_Function = TypeVar('_Function', bound=Callable)
_Output = Tuple[dict, str]  # the value for --json, and the text
_SOURCE = [
    click.option('--labels', metavar='FILE', help='labels of images that are not in class folders'),
    click.option('--classes-file', metavar='FILE', help='names of the classes, in the order of the labels'),
    click.option(
        '--label-index', type=int, metavar='K', help='the label to take of lists with several, from 0  [refused]'
    ),
    click.option(
        '--all-labels',
        '--pack-label',
        'all_labels',
        is_flag=True,
        help='take all labels of a list, any numbers, for other tasks than classification',
    ),
    click.option(
        '--shuffle', is_flag=True, help='random order, which depends only on --seed  [the order of the source]'
    ),
    click.option('--seed', type=click.IntRange(0, 2**32 - 1), default=0, show_default=True, help='random seed'),
]

_OF_CLASSES = (
    'labels',
    'label_index',
    'all_labels',
    'transpose',
    'value_range',
    'labels_of',
)  # of images with one class each


def _source_options(function: _Function) -> _Function:
    for option in reversed(_SOURCE):
        function = option(function)
    return function


@data.command('digits')
@click.argument('folder')
@click.option(
    '--clutter', type=click.IntRange(1), metavar='N', help='N images of 32 x 32 pixels: one digit among fragments'
)
@click.option('--seed', type=click.IntRange(0), default=0, show_default=True, help='random seed of the clutter')
@force_option
@common_options
def data_digits(folder: str, **settings: Any) -> _Output:
    """Write scikit-learn's handwritten digits to FOLDER: 1,437 for training, 360 for validation."""
    from gluon_cbam.data.datasets.digits import write_digits

    return _written(folder, write_digits(folder, **settings))


@data.command('shapes')
@click.argument('folder')
@click.option('--boxes', is_flag=True, help='up to 8 objects an image, as detection records')
@click.option('--masks', is_flag=True, help='up to 8 objects an image, as segmentation records')
@click.option('--size', type=click.IntRange(1), help='height and width in pixels  [64; of several objects 128]')
@click.option('--train', type=click.IntRange(1), default=6000, show_default=True, help='number of training images')
@click.option('--val', type=click.IntRange(1), default=800, show_default=True, help='number of validation images')
@click.option('--classes', type=click.IntRange(1), default=8, show_default=True, help='number of classes, of eight')
@click.option('--seed', type=click.IntRange(0), default=0, show_default=True, help='random seed')
@settings_options('workers')
@force_option
@common_options
def data_shapes(
    folder: str, boxes: bool, masks: bool, size: Optional[int], workers: Optional[int], **settings: Any
) -> _Output:
    """Draw images of one shape, the class, among distractors to FOLDER, with a mask of the shape for each.

    'cbam explain --score' compares the masks with the explanations of a network. With --boxes, 0 to 8 objects of all
    classes and of many sizes are drawn in each image, for detection; with --masks the same, with the class of each
    pixel, for segmentation.
    """
    from gluon_cbam.compat.threads import usable_cpus
    from gluon_cbam.data.datasets.box_scenes import write_box_shapes
    from gluon_cbam.data.datasets.mask_scenes import write_mask_shapes
    from gluon_cbam.data.datasets.shapes import write_shapes

    if size is not None:
        settings['size'] = size
    if boxes and masks:
        raise UsageError('--boxes and --masks exclude each other: give one of them')
    if not (boxes or masks):
        return _written(folder, write_shapes(folder, **settings))
    write = write_box_shapes if boxes else write_mask_shapes
    counts = write(folder, workers=workers or usable_cpus(), progress=progress_bar, **settings)
    return _written(folder, counts)


def _masks_in(source: str, masks: bool, form: Optional[str], options: Dict[str, Any], *others: str) -> bool:
    """Whether a source is taken for masks; the options for other images are removed then."""
    refused = [name for name in (*_OF_CLASSES, *others) if name in options]
    if not takes_masks([source], masks, form, {name.replace('_', '-'): options[name] for name in refused}):
        return False
    for name in refused:
        options.pop(name)
    return True


def _boxes_in(source: str, form: Optional[str], options: Dict[str, Any]) -> bool:
    """Whether a source holds boxes; the options for other images are removed then."""
    names = [name for name in _OF_CLASSES if name in options]
    if not has_boxes(source, form, {name.replace('_', '-'): options[name] for name in names}):
        return False
    for name in names:
        options.pop(name)
    return True


def _written(folder: str, counts: Dict[str, int]) -> _Output:
    """The result for the files that were written."""
    text = '\n'.join(f'{printable(os.path.join(folder, name))}: {count} records' for name, count in counts.items())
    return {'output': folder, 'records': counts}, text


@data.command('list')
@click.argument('source')
@click.argument('output')
@click.option('--val-ratio', type=float, default=0.0, metavar='X', help='share of each class for OUTPUT_val.lst')
@click.option('--test-ratio', type=float, default=0.0, metavar='X', help='share of each class for OUTPUT_test.lst')
@_source_options
@format_option
@masks_option
@force_option
@common_options
def data_list(source: str, output: str, form: Optional[str], masks: bool, **options: Any) -> _Output:
    """List the images of SOURCE in OUTPUT.lst, as MXNet's im2rec does: index, label, path.

    SOURCE: see 'cbam data pack'. 'cbam data pack OUTPUT.lst FOLDER --root SOURCE' packs the list. Of pictures with
    boxes, the label is that of im2rec's --pack-label; with --masks, the path of the mask is in its place.
    """
    from gluon_cbam.data.preparation.lists import make_lists

    if _masks_in(source, masks, form, options, 'shuffle'):
        return list_masks_result(source, output, form, options)
    if _boxes_in(source, form, options):
        if options.pop('shuffle'):
            raise UsageError(f'{source} has boxes, and is listed in its order: leave out --shuffle')
        return list_result(source, output, form, options)
    lists = make_lists(source, output, **options)
    entries = [
        {'file': str(part.path), 'images': part.images, 'empty_classes': lists.empty_of(part.path)} for part in lists
    ]
    lines = [f'{printable(part.path)}: {part.images} images' for part in lists] + lists.as_lines()
    return {'layout': lists.layout, 'lists': entries, 'left_out': lists.left_out.as_dict()}, '\n'.join(lines)


@data.command('pack')
@click.argument('source')
@click.argument('output')
@click.option('--resize', type=click.IntRange(1), help='shorter side in pixels; encodes images again  [keep the bytes]')
@click.option(
    '--quality', type=click.IntRange(1, 100), default=95, show_default=True, help='JPEG quality with --resize'
)
@click.option('--skip-bad', is_flag=True, help='leave out files that cannot be decoded')
@click.option('--val-ratio', type=float, default=0.0, metavar='X', help='share of each class for val.rec')
@click.option('--test-ratio', type=float, default=0.0, metavar='X', help='share of each class for test.rec')
@click.option('--transpose/--no-transpose', default=None, help='exchange rows and columns of IDX images  [EMNIST only]')
@click.option('--value-range', type=float, nargs=2, metavar='LOW HIGH', help='values of IDX files for 0 and 255')
@click.option('--labels-of', type=click.Choice(['fine', 'coarse']), help='of CIFAR-100: 100 or 20 classes  [fine]')
@depth_option
@click.option('--root', help='folder or tar file that the paths of a list are relative to  [the folder of the list]')
@_source_options
@format_option
@masks_option
@split_option
@settings_options('workers')
@force_option
@common_options
def data_pack(
    source: str, output: str, form: Optional[str], masks: bool, workers: Optional[int], **options: Any
) -> _Output:
    """Pack images into OUTPUT/*.rec, *.idx and classes.txt.

    SOURCE is one of: class folders (gives train.rec; --val-ratio 0.2 holds a fifth of each class out for val.rec);
    train/, val/ and test/ with class folders (also training, valid, validation, testing, in any case); images without
    class folders, with --labels (gives val.rec, also for a val/ next to a train/ with class folders); a .lst or 'path
    label' list (gives a .rec of the same name); a folder with train_list.txt and val_list.txt. Instead of a folder, it
    may be a tar file, such as ILSVRC2012_img_train.tar, which is not unpacked.

    Pictures with boxes give detection records: COCO's JSON or the folder of its annotations/; Pascal VOC's folder of
    Annotations/; YOLO's data.yaml or folder of images/ and labels/; CSV of path,class,xmin,ymin,xmax,ymax; detection
    records, or a list of im2rec --pack-label. --val-ratio then holds a share of the pictures out.

    With --masks, pictures with the class of each pixel give segmentation records: folders images/ and masks/ with PNGs
    of the same names, or a list of them; Pascal VOC's folder of SegmentationClass/; Cityscapes; the regions of COCO's
    JSON. 255 is ignored.

    SOURCE with boxes or masks may be a tar file, too, or a folder in one, such as set.tar/VOC2007.

    The files of MNIST and the sets in its format (IDX, gzipped or not) give train.rec, and val.rec of the test images:
    SOURCE is their folder, or one of the files of a set. EMNIST's images are transposed to be upright. CIFAR-10 and
    CIFAR-100, for C or Python, are read from their archive or folder, and SVHN's cropped digits from train_32x32.mat.

    What SOURCE holds besides is left out and counted. WebP, GIF (the first frame), TIFF and AVIF become PNG.
    """
    from gluon_cbam.compat.threads import usable_cpus
    from gluon_cbam.data.preparation.packing import pack
    from gluon_cbam.data.sources.arrays.sets import ArrayOptions

    if _masks_in(source, masks, form, options):
        return pack_masks_result(source, output, form, workers or usable_cpus(), options)
    if _boxes_in(source, form, options):
        return pack_result(source, output, form, workers or usable_cpus(), options)
    if options.pop('splits'):
        raise UsageError(f'{printable(source)} has no boxes: leave out --split')
    arrays = ArrayOptions(**{name: options.pop(name) for name in ArrayOptions._fields})
    done = pack(source, output, workers=workers or usable_cpus(), progress=progress_bar, arrays=arrays, **options)
    files = [
        {
            'file': str(part.path),
            'records': part.records,
            'converted': part.converted,
            'dark_images': part.dark.count,
            'first_dark': part.dark.first,
            'bad': part.bad,
            'other_files': part.other,
            'empty_classes': done.empty_of(part.path),
        }
        for part in done
    ]
    lines = []
    for part in done:
        converted = f' ({part.converted} converted to PNG)' if part.converted else ''
        bad = f', {len(part.bad)} bad files left out' if part.bad else ''
        lines.append(f'{printable(part.path)}: {part.records} records{converted}{bad}')
        lines += [f'  bad: {printable(path)}: {printable(fault)}' for path, fault in part.bad.items()]
        lines += [f'  warning: {part.dark.text()}'] if part.dark.count else []
    value = {'output': output, 'layout': done.layout, 'files': files, 'left_out': done.left_out.as_dict()}
    value['notes'] = done.notes
    return value, '\n'.join(lines + done.as_lines())


@data.command('index')
@click.argument('file')
@click.option('--skip-bad', is_flag=True, help='index the intact records of a damaged file')
@common_options
def data_index(file: str, skip_bad: bool) -> _Output:
    """Rebuild the .idx of a .rec FILE."""
    from gluon_cbam.data.records.index import Salvaged, index_path, rebuild_index, salvage_index

    done = salvage_index(file) if skip_bad else Salvaged(rebuild_index(file), [], 0)
    value = {'index': str(index_path(file)), 'records': done.records, 'lost_bytes': done.lost}
    value['faults'] = [fault._asdict() for fault in done.faults]
    lines = [f'{printable(index_path(file))}: {done.records} records']
    lines += [
        f'  at offset {fault.offset}, after {fault.number} whole records: {fault.reason}' for fault in done.faults
    ]
    if done.faults:
        lines.append(f'  {done.lost} bytes belong to no whole record')
    return value, '\n'.join(lines)
