"""``cbam data check`` and ``cbam data stats``: reports on RecordIO files."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Dict, Iterator, List, Optional, Sequence, Tuple

import click

from gluon_cbam.cli.options import ImageSizeType, settings_options
from gluon_cbam.cli.output import common_options
from gluon_cbam.cli.progress import byte_progress
from gluon_cbam.common.errors import UsageError
from gluon_cbam.common.image_size import ImageSize
from gluon_cbam.common.printable import printable

from .box_formats import format_option, has_boxes
from .data_box_reports import check_lines, check_sources, check_value, stats_result
from .data_masks import check_result, masks_option, takes_masks
from .data_masks import stats_result as masks_stats_result

if TYPE_CHECKING:
    from gluon_cbam.data.records.checking import Report
    from gluon_cbam.data.records.duplicates import Duplicates


@click.command('check')
@click.argument('sources', nargs=-1, required=True)
@click.option('--decode/--no-decode', default=True, help='decode every image, or read only the headers  [decode]')
@click.option(
    '--duplicates/--no-duplicates', default=None, help='search for equal images in all SOURCES  [as --decode]'
)
@click.option('--classes', type=click.IntRange(1), help='number of classes; labels must be integers below it')
@click.option('--strict', is_flag=True, help='equal images and equal ids are errors')
@click.option(
    '--all-labels',
    '--pack-label',
    'all_labels',
    is_flag=True,
    help='labels are for another task: several a record, or other numbers than classes',
)
@format_option
@masks_option
@click.option('--root', help='folder or tar file of the pictures of boxes  [the usual places beside the annotations]')
@click.option('--classes-file', metavar='FILE', help='names of the classes of boxes, in the order of the labels')
@settings_options('label_index', 'workers')
@common_options
@click.pass_context
def data_check(
    ctx: click.Context,
    sources: Sequence[str],
    decode: bool,
    duplicates: Optional[bool],
    classes: Optional[int],
    strict: bool,
    all_labels: bool,
    form: Optional[str],
    masks: bool,
    root: Optional[str],
    classes_file: Optional[str],
    label_index: Optional[int],
    workers: Optional[int],
) -> Tuple[dict, str]:
    """Check .rec files and their .idx, or pictures with boxes. Exit code 4 if anything is wrong.

    Of SOURCES that are .rec files: structure, index, labels, images. Labels must be those of classes, one integer a
    record, unless --all-labels is given. Detection records are recognized. Of these, and of folders and files of
    annotations (see 'cbam data pack'): boxes that are outside, empty, reversed, not finite or of unknown classes;
    pictures that are missing or of another size. Of segmentation records, and with --masks of other sources: masks that
    are missing, of another size than their picture, or have values that are no class.
    """
    from gluon_cbam.compat.threads import usable_cpus
    from gluon_cbam.data.boxes.formats import record_files
    from gluon_cbam.data.class_masks.formats import mask_record_files
    from gluon_cbam.data.records.checking import check_files

    if duplicates is None:
        duplicates = decode
    others = {'label-index': label_index, 'all-labels': all_labels}
    of_masks = takes_masks(sources, masks, form, others)
    boxes = [] if of_masks else [source for source in sources if has_boxes(source, form, others)]
    if boxes and len(boxes) < len(sources):
        other = next(source for source in sources if source not in boxes)
        raise UsageError(f'{printable(boxes[0])} has boxes and {printable(other)} has none: check them apart')
    value: dict = {'ok': True, 'decoded': decode, 'files': [], 'duplicates': None}
    lines: List[str] = []
    threads = workers or usable_cpus()
    files = [file for source in boxes for file in record_files(source)] if boxes else list(sources)
    if of_masks:
        files = [file for source in sources for file in mask_record_files(source)]
    if files:
        with byte_progress('check') as progress:
            checked = check_files(
                files, decode, duplicates, None if boxes or of_masks else classes, threads, progress, label_index
            )  # fmt: skip
        equal, other_task = checked.duplicates, all_labels or bool(boxes) or of_masks
        value['ok'] = checked.ok(strict, classification=not other_task)
        value['files'] = [report.as_dict() for report in checked.files]
        value['duplicates'] = equal._asdict() if equal else None
        lines += [
            line for report in checked.files for line in _report_lines(report, other_task, bool(boxes) or of_masks)
        ]
        lines += duplicate_lines(equal) if equal else []
    if boxes:
        limits = {'root': root, 'classes_file': classes_file, 'classes': classes, 'decoding': decode}
        more = check_sources(boxes, form, {**limits, 'duplicates': duplicates, 'workers': threads})
        value['boxes'] = [check_value(source, found) for source, found in zip(boxes, more)]
        value['ok'] = value['ok'] and all(found.ok(strict) for found in more)
        lines += [line for source, found in zip(boxes, more) for line in check_lines(source, found)]
    if of_masks:
        value['masks'] = []
        limits = {
            'root': root,
            'classes_file': classes_file,
            'classes': classes,
            'decoding': decode,
            'workers': threads,
        }
        for source in sources:
            fine, found_masks, more_lines = check_result(source, form, limits)
            value['ok'] = value['ok'] and fine
            value['masks'].append(found_masks)
            lines += more_lines
    if not value['ok']:
        ctx.call_on_close(lambda: sys.exit(4))
    return value, '\n'.join(lines)


def _report_lines(report: Report, all_labels: bool, boxes: bool) -> Iterator[str]:
    wrong = ', '.join(f'{count} {kind}' for kind, count in report.counts.items())
    unfit = None if all_labels else report.unfit
    state = f'wrong: {wrong}' if wrong else 'intact, but not for classification' if unfit else 'ok'
    yield f'{printable(report.path)}: {report.records} records, {report.size} bytes: {state}'
    if report.identities is not None:
        pictures = sum(report.label_counts.values())
        yield f'  insightface: {pictures} pictures, a header, {report.identities} identity records'
    if report.identity_pictures is not None:
        yield f'  {_identities_text(report.identity_pictures)}'
    if set(report.label_counts) - {1} and not boxes:
        yield f'  labels: {labels_text(report.label_counts)}'
    if unfit:
        choice = 'choose one with --label-index' if set(report.label_counts) - {1} else 'correct it'
        yield f'  for classification: {unfit}: {choice}, or give --all-labels for another task'
    for bad in report.bad:
        where = '' if bad.offset is None else f'record {bad.number} at offset {bad.offset}: '
        yield f'  {bad.kind}: {where}{bad.reason}'
    more = sum(report.counts.values()) - len(report.bad)
    if more:
        yield f'  and {more} more'
    if report.lost_bytes:
        known = '' if report.lost_records is None else f'; {report.lost_records} records of the index are missing'
        yield f'  lost: {report.lost_bytes} bytes belong to no whole record{known}'
    if report.dark.count:
        yield f'  warning: {report.dark.text()}'
    if report.repeated_ids:
        yield f'  warning: {report.repeated_ids} records have the id of an earlier one'
    yield from (f'  warning: {warning}' for warning in report.warnings)


def labels_text(counts: Dict[int, int]) -> str:
    """How many records have how many labels."""
    return ', '.join(f'{records} records have {count}' for count, records in counts.items())


def _identities_text(pictures: Dict[str, float]) -> str:
    """How many pictures the identities have."""
    return f'identities: {pictures["count"]}, {_quantiles(pictures)} pictures each, {pictures["single"]} with one'


def duplicate_lines(equal: Duplicates) -> List[str]:
    """Images that occur more than once, as lines."""
    if not equal.images:
        return ['no image occurs twice']
    lines = [
        f'warning: {equal.images} images repeat an earlier one ({equal.groups} different ones, {equal.across} of them '
        f'in several files, {equal.other_label} with different labels)'
    ]
    groups = (' = '.join(f'{printable(file)} record {number}' for file, number in group) for group in equal.first)
    return lines + [f'  {group}' for group in groups]


@click.command('stats')
@click.argument('source')
@click.option('--sample', type=click.IntRange(1), help='number of images to measure, chosen at random  [all]')
@click.option(
    '--seed', type=click.IntRange(0, 2**32 - 1), default=0, show_default=True, help='random seed of the sample'
)
@click.option('--anchors', type=click.IntRange(1, 64), metavar='K', help='suggest K anchors for the boxes  [none]')
@click.option(
    '--image-size',
    type=ImageSizeType(),
    default=300,
    show_default=True,
    metavar='N|H,W',
    help='size to which anchors are scaled',
)
@format_option
@masks_option
@settings_options('label_index', 'workers')
@common_options
def data_stats(
    source: str,
    sample: Optional[int],
    seed: int,
    anchors: Optional[int],
    image_size: ImageSize,
    form: Optional[str],
    masks: bool,
    label_index: Optional[int],
    workers: Optional[int],
) -> Tuple[dict, str]:
    """Describe a .rec file: images of each class, sizes, formats, channel means and standard deviations.

    Of SOURCES with boxes, detection records or a format of 'cbam data pack': sizes and aspect ratios of the boxes,
    boxes a picture, by class, and anchors for --anchors, found by k-means with the IoU as distance. Of segmentation
    records, and with --masks of other sources: pixels and pictures of each class, and sizes.
    """
    from gluon_cbam.compat.threads import usable_cpus
    from gluon_cbam.data.boxes.formats import record_files
    from gluon_cbam.data.records.statistics import statistics

    if takes_masks([source], masks, form, {'label-index': label_index, 'sample': sample, 'anchors': anchors}):
        return masks_stats_result(source, form, workers or usable_cpus())
    boxes = has_boxes(source, form, {'label-index': label_index})
    if anchors and not boxes:
        raise UsageError(f'{printable(source)} has no boxes: leave out --anchors')
    measured = []
    for file in record_files(source) if boxes else [source]:
        with byte_progress('stats') as progress:
            measured.append(statistics(file, sample, seed, workers or usable_cpus(), progress, label_index))
    if not boxes:
        return measured[0], '\n'.join(_statistics_lines(measured[0]))
    value, text = stats_result(source, form, anchors, image_size)
    value['images'] = measured
    lines = [
        line
        for each in measured
        for line in _statistics_lines({**each, 'label_counts': {}, 'unfit': 'boxes, see below'})
    ]
    return value, '\n'.join([*lines, text])


def _statistics_lines(value: dict) -> Iterator[str]:
    bad = f", {value['bad']} of them bad (see 'cbam data check')" if value['bad'] else ''
    yield f'{printable(value["file"])}: {value["records"]} records, {value["images"]} images measured{bad}'
    classes = value['classes']
    if value['identities'] is not None:
        yield f'insightface: a header and {value["identities"]} identity records are left out'
    if value['identity_pictures'] is not None:
        yield _identities_text(value['identity_pictures'])
    if set(value['label_counts']) - {1}:
        yield f'labels: {labels_text(value["label_counts"])}'
    if classes is None:
        yield f'classes: {value["unfit"]}'
    else:
        empty = f'{len(classes["empty"])} empty' + (f' ({classes["empty"][:10]})' if classes['empty'] else '')
        yield f'classes: {classes["count"]}, {_quantiles(classes)} images each, {empty}'
    yield from (f'warning: {warning}' for warning in value['warnings'])
    if value['width'] is None:
        return
    for name, unit in (('width', ' pixels'), ('height', ' pixels'), ('aspect', ''), ('bytes', '')):
        yield f'{name}: {_quantiles(value[name])}{unit}'
    for name in ('formats', 'modes'):
        yield f'{name}: ' + ', '.join(f'{kind} {count}' for kind, count in value[name].items())
    yield f'grey: {value["grey"]}, CMYK: {value["cmyk"]}'
    for name in ('mean', 'std'):
        yield f'{name} (R, G, B): ' + ', '.join(f'{channel:.4f}' for channel in value[name])


def _quantiles(values: dict) -> str:
    return f'{values["min"]:g} / {values["median"]:g} / {values["max"]:g} (min / median / max)'
