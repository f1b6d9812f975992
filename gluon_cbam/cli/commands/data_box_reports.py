"""``cbam data check`` and ``cbam data stats`` for pictures with boxes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, Iterator, List, Optional, Sequence, Tuple

from gluon_cbam.cli.progress import progress_bar
from gluon_cbam.common.image_size import ImageSize, image_size_text
from gluon_cbam.common.printable import printable

from .box_formats import fault_lines, left_out_lines

if TYPE_CHECKING:
    from gluon_cbam.data.preparation.box_checking import CheckedSet

_Output = Tuple[dict, str]
_GROUPS_NAMED = 3  # of equal pictures
_CLASSES_NAMED = 40


def check_sources(sources: Sequence[str], form: Optional[str], options: Dict[str, Any]) -> List[CheckedSet]:
    """Check pictures with boxes; those of records are left to the check of the files.

    Args:
        sources: files or folders.
        form: their format; None to recognize it.
        options: of :func:`gluon_cbam.data.preparation.box_checking.check_boxes`.
    """
    from gluon_cbam.data.boxes.formats import record_files
    from gluon_cbam.data.preparation.box_checking import check_boxes

    return [
        check_boxes(source, form, pictures=not record_files(source), progress=progress_bar, **options)
        for source in sources
    ]


def check_value(source: str, checked: CheckedSet) -> Dict[str, Any]:
    """What a check found, for ``--json``."""
    boxes, equal = checked.boxes, checked.equal
    return {
        'source': source, 'format': boxes.format, 'classes': list(boxes.classes),
        'parts': [part.as_dict() for part in checked.parts], 'left_out': boxes.left_out.as_dict(),
        'equal_pictures': None if equal is None else vars(equal),
    }  # fmt: skip


def check_lines(source: str, checked: CheckedSet) -> Iterator[str]:
    """What a check found, as lines."""
    from gluon_cbam.data.boxes.formats import format_named

    boxes = checked.boxes
    yield f'{printable(source)}: {format_named(boxes.format).text}, {len(boxes.classes)} classes'
    for part in checked.parts:
        state = f'{part.faults.wrong} wrong' if part.faults.wrong else 'ok'
        yield f'{printable(part.name)}: {part.pictures} pictures, {part.boxes} boxes, {part.empty} without: {state}'
        yield from fault_lines(part.faults)
    if boxes.format != 'rec':
        yield from left_out_lines(boxes)
    if checked.equal is not None:
        equal = checked.equal
        if not equal.pictures:
            yield 'no picture occurs twice'
            return
        several = f'{equal.across} different ones in several splits'
        yield f'warning: {equal.pictures} pictures repeat an earlier one ({several})'
        yield from (f'  {" = ".join(group)}' for group in equal.first[:_GROUPS_NAMED])


def stats_result(
    source: str, form: Optional[str], anchors: Optional[int], image_size: ImageSize, classes_file: Optional[str] = None
) -> _Output:
    """Describe pictures with boxes; the result of ``cbam data stats``."""
    from gluon_cbam.data.boxes.formats import read_boxes
    from gluon_cbam.data.boxes.reading import read_options
    from gluon_cbam.data.boxes.sets import check_part, without_wrong_boxes
    from gluon_cbam.data.boxes.statistics import box_statistics

    boxes = read_boxes(source, form, read_options(None, classes_file, progress_bar))
    value: Dict[str, Any] = {'source': source, 'format': boxes.format, 'parts': {}}
    lines: List[str] = []
    for part in boxes.parts:
        wrong = check_part(part, boxes.classes).wrong
        columns = without_wrong_boxes(part, boxes.classes).columns
        stats = box_statistics(columns, boxes.classes, anchors, image_size)
        value['parts'][part.name] = {**stats, 'wrong': wrong}
        lines += [f'{printable(source)}: {printable(part.name)}', *_stats_lines(stats)]
        lines += [f"  {wrong} wrong boxes or pictures are not counted: see 'cbam data check'"] if wrong else []
    return value, '\n'.join(lines)


def _stats_lines(stats: Dict[str, Any]) -> Iterator[str]:
    flags = ''.join(f', {stats[name]} {name}' for name in ('difficult', 'crowd', 'segmented') if stats[name])
    yield f'  {stats["pictures"]} pictures, {stats["empty"]} without boxes; {stats["boxes"]} boxes{flags}'
    for name, text in _QUANTILES.items():
        if stats[name] is not None:
            values = ' / '.join(f'{stats[name][key]:.4g}' for key in ('min', 'median', 'max'))
            yield f'  {text}: {values} (min / median / max)'
    areas = stats['by_area']
    yield f'  small / medium / large (32², 96² pixels): {areas["small"]} / {areas["medium"]} / {areas["large"]}'
    for row in stats['classes'][:_CLASSES_NAMED]:
        yield f'  class {printable(row["name"])}: {row["boxes"]} boxes in {row["pictures"]} pictures'
    if len(stats['classes']) > _CLASSES_NAMED:
        yield f'  and {len(stats["classes"]) - _CLASSES_NAMED} more classes: --json has all'
    if stats['anchors']:
        found = stats['anchors']
        sizes = ', '.join(f'{width:g}x{height:g}' for width, height in found['sizes'])
        yield f'  anchors at {image_size_text(found["image_size"])} pixels: {sizes}; mean IoU {found["mean_iou"]:.3f}'


_QUANTILES = {
    'per_picture': 'boxes a picture',
    'width': 'width of boxes in pixels',
    'height': 'height of boxes in pixels',
    'share': 'side of boxes as a share of the picture',
    'aspect': 'width / height of boxes',
    'picture_width': 'width of pictures',
    'picture_height': 'height of pictures',
}
