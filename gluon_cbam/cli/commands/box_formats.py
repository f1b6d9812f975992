"""What the commands for pictures with boxes share: ``--format``, and lines of what was read and what is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, Iterator, Mapping, Optional

import click

from gluon_cbam.common.errors import UsageError
from gluon_cbam.common.printable import printable

if TYPE_CHECKING:
    from gluon_cbam.data.boxes.faults import Faults
    from gluon_cbam.data.boxes.sets import BoxSet

IMAGES = 'images'
"""The value of ``--format`` for images with one class each."""
_FORMATS = ('coco', 'voc', 'yolo', 'csv', 'rec', 'lst')
_OF_MASKS = ('cityscapes', 'folders')
_WRONG_NAMED, _WARNINGS_NAMED = 5, 1  # faults of a kind in the text; --json has more

format_option = click.option(
    '--format',
    'form',
    type=click.Choice([IMAGES, *_FORMATS, *_OF_MASKS]),
    help='of SOURCE; images: one class each; the others: boxes, or with --masks masks  [recognized]',
)
source_format_option = click.option('--format', 'form', type=click.Choice(_FORMATS), help='of SOURCE  [recognized]')
boxes_or_masks_option = click.option(
    '--format', 'form', type=click.Choice([*_FORMATS, *_OF_MASKS]), help='of SOURCE  [recognized]'
)

split_option = click.option(
    '--split', 'splits', multiple=True, metavar='NAME', help='only this split, such as trainval of VOC; repeatable'
)


def has_boxes(source: str, form: Optional[str], others: Mapping[str, Any]) -> bool:
    """Whether a source holds boxes.

    Args:
        source: a file or folder.
        form: the value of ``--format``; None to recognize it.
        others: options for images with one class each -> value; one that is given means such images.

    Raises:
        UsageError: options for such images are given with a format of boxes.
    """
    from gluon_cbam.data.boxes.formats import recognize

    given = [name for name, value in others.items() if value not in (None, False)]
    if form not in (None, IMAGES) and given:
        raise UsageError(f'--format {form} has boxes: leave out --{given[0]}')
    if form is not None:
        return form != IMAGES
    return not given and recognize(source) is not None


def left_out_lines(boxes: BoxSet) -> Iterator[str]:
    """Lines of what was not used and what the table of boxes does not hold."""
    yield from boxes.left_out.as_lines()
    if boxes.lost:
        yield f'not kept: {counts_text(boxes.lost)}'


def counts_text(counts: Dict[str, int]) -> str:
    """Numbers of things."""
    return ', '.join(f'{count} {name}' for name, count in counts.items())


def fault_lines(faults: Faults, wrong: str = 'wrong') -> Iterator[str]:
    """Lines of faults: what is wrong with the first ones, and a line for each kind of warning.

    Args:
        faults: the faults.
        wrong: what begins the line of a kind that is wrong.
    """
    for kind, count, first in faults.items():
        row = faults.kinds[kind]
        yield f'  {wrong if row.wrong else "warning"}: {count} {row.text}'
        named = first[: _WRONG_NAMED if row.wrong else _WARNINGS_NAMED]
        yield from (f'    {printable(fault.where)}: {printable(fault.reason)}' for fault in named)
        if row.wrong and count > len(named):
            yield f'    and {count - len(named)} more'
