"""The commands of ``cbam data`` for pictures with masks: with ``--masks``, or of segmentation records."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, Iterator, List, Optional, Sequence, Tuple

import click

from gluon_cbam.cli.progress import progress_bar
from gluon_cbam.common.errors import UsageError
from gluon_cbam.common.printable import printable

from .box_formats import fault_lines

if TYPE_CHECKING:
    from gluon_cbam.data.preparation.mask_checking import CheckedMasks, CheckedMaskSet

_Output = Tuple[dict, str]
_FORMATS = ('coco', 'voc', 'cityscapes', 'folders', 'lst', 'rec')
_CLASSES_NAMED = 40
masks_option = click.option(
    '--masks', is_flag=True, help='of SOURCE, take the class of each pixel, for segmentation  [records: recognized]'
)


def takes_masks(sources: Sequence[str], masks: bool, form: Optional[str], others: Dict[str, Any]) -> bool:
    """Whether a command deals with masks.

    Args:
        sources: files or folders.
        masks: whether ``--masks`` is given.
        form: the value of ``--format``; None to recognize it.
        others: options that have no meaning for masks -> value.

    Raises:
        UsageError: one of these options, or a format of another kind, is given with masks.
    """
    from gluon_cbam.data.class_masks.record_sets import find_mask_records

    found = masks or form in (None, 'rec') and any(find_mask_records(Path(source)) for source in sources)
    if not found:
        if form in ('cityscapes', 'folders'):
            raise UsageError(f'--format {form} has masks: give --masks')
        return False
    if form is not None and form not in _FORMATS:
        raise UsageError(f'--format {form} has no masks: it must be one of {", ".join(_FORMATS)}')
    given = next((name for name, value in others.items() if value not in (None, False, ())), None)
    if given is not None:
        raise UsageError(f'{printable(sources[0])} has masks: leave out --{given}')
    return True


def pack_result(source: str, output: str, form: Optional[str], workers: int, options: dict) -> _Output:
    """Pack pictures with masks; the result of ``cbam data pack``."""
    from gluon_cbam.data.preparation.box_packing import PackOptions
    from gluon_cbam.data.preparation.mask_packing import pack_masks

    of_source = {name: options.pop(name) for name in ('root', 'classes_file', 'val_ratio', 'test_ratio', 'splits')}
    how = PackOptions(workers=workers, progress=progress_bar, **options)
    done = pack_masks(source, output, form, options=how, **of_source)
    files, lines = [], []
    for file in done.files:
        files.append(
            {
                'file': str(file.path), 'records': file.records, 'converted': file.converted,
                'dark_images': file.dark.count,
            }
        )  # fmt: skip
        converted = f' ({file.converted} converted to PNG)' if file.converted else ''
        lines.append(f'{printable(file.path)}: {file.records} records with masks{converted}')
        lines += [f'  warning: {file.dark.text()}'] if file.dark.count else []
        unused = [name for name, pixels in zip(done.classes, file.pixels.tolist()) if not pixels]
        if unused:
            lines.append(f'  warning: no pixel of {len(unused)} of {len(done.classes)} classes: {printable(unused[0])}')
    lines += [*fault_lines(done.faults, 'left out'), *done.masks.left_out.as_lines()]
    value = {
        'output': output, 'format': done.masks.format, 'classes': list(done.classes), 'files': files,
        'faults': done.faults.as_dict(), 'left_out': done.masks.left_out.as_dict(),
    }  # fmt: skip
    return value, '\n'.join(lines)


def list_result(source: str, output: str, form: Optional[str], options: dict) -> _Output:
    """List pictures with masks; the result of ``cbam data list``."""
    from gluon_cbam.data.preparation.mask_lists import list_masks

    done = list_masks(source, output, form, **options)
    lists = [{'file': str(each.path), 'images': each.images} for each in done.lists]
    lines = [f'{printable(each.path)}: {each.images} images with masks' for each in done.lists]
    return {'format': done.masks.format, 'lists': lists}, '\n'.join(lines)


def check_result(source: str, form: Optional[str], options: Dict[str, Any]) -> Tuple[bool, dict, List[str]]:
    """Check pictures with masks.

    Args:
        source: a file or folder.
        form: its format; None to recognize it.
        options: of :func:`gluon_cbam.data.preparation.mask_checking.check_masks`.

    Returns:
        Whether nothing is wrong, the value for ``--json``, and lines.
    """
    from gluon_cbam.data.preparation.mask_checking import check_masks

    checked = check_masks(source, form, progress=progress_bar, **options)
    lines = [f'{printable(source)}: masks ({checked.masks.format}), {len(checked.classes)} classes']
    for part in checked.parts:
        state = f'{part.faults.wrong} wrong' if part.faults.wrong else 'ok'
        lines += [f'{printable(part.name)}: {part.pictures} pictures: {state}', *fault_lines(part.faults)]
    parts = [
        {'name': part.name, 'pictures': part.pictures, 'faults': part.faults.as_dict()} for part in checked.parts
    ]  # fmt: skip
    value = {'source': source, 'format': checked.masks.format, 'classes': list(checked.classes), 'parts': parts}
    return checked.ok, value, lines


def stats_result(source: str, form: Optional[str], workers: int) -> _Output:
    """Describe pictures with masks; the result of ``cbam data stats``."""
    from gluon_cbam.data.preparation.mask_checking import check_masks

    checked = check_masks(source, form, workers=workers, progress=progress_bar)
    value: Dict[str, Any] = {'source': source, 'format': checked.masks.format, 'parts': {}}
    lines: List[str] = []
    for part in checked.parts:
        value['parts'][part.name] = {**checked.statistics(part), 'wrong': part.faults.wrong}
        lines += [f'{printable(source)}: {printable(part.name)}', *_stats_lines(checked, part)]
    return value, '\n'.join(lines)


def _stats_lines(checked: CheckedMaskSet, part: CheckedMasks) -> Iterator[str]:
    stats = checked.statistics(part)
    yield f'  {stats["pictures"]} pictures with masks, {stats["pixels"]} pixels, {stats["ignored"]:.1%} ignored'
    for name in ('width', 'height'):
        yield f'  {name}: ' + ' / '.join(f'{stats[name][key]:g}' for key in ('min', 'median', 'max'))
    for row in stats['classes'][:_CLASSES_NAMED]:
        yield f'  class {printable(row["name"])}: {row["share"]:.2%} of pixels, in {row["pictures"]} pictures'
    if len(stats['classes']) > _CLASSES_NAMED:
        yield f'  and {len(stats["classes"]) - _CLASSES_NAMED} more classes: --json has all'
    if part.faults.wrong:
        yield f"  {part.faults.wrong} pictures or masks that are wrong are not counted: see 'cbam data check'"


def draw_result(
    source: str, output: str, count: int, seed: int, side: int, form: Optional[str], options: Dict[str, Any]
) -> _Output:
    """Draw masks over pictures; the result of ``cbam data draw``."""
    import numpy as np

    from gluon_cbam.common.files import refuse_existing
    from gluon_cbam.common.folders import made_folder
    from gluon_cbam.data.boxes.reading import read_options
    from gluon_cbam.data.class_masks.formats import read_masks

    masks = read_masks(source, form, read_options(options['root'], options['classes_file'], progress_bar))
    chosen = [
        (part, number)
        for part in masks.parts
        for number in sorted(np.random.RandomState(seed).permutation(len(part.examples))[:count].tolist())
    ]
    folder = Path(output)
    paths = [folder / f'{part.name}_{number:06d}.png' for part, number in chosen]
    refuse_existing(paths, options['overwrite'])
    entries: List[Any] = []
    with made_folder(folder):
        for path, (part, number) in zip(paths, chosen):
            example = part.examples[number]
            _draw(path, example, masks.classes, side)
            entries.append({'file': str(path), 'picture': example.name})
    lines = [f'{printable(entry["file"])}: {printable(entry["picture"])}' for entry in entries]
    return {'output': output, 'format': masks.format, 'drawn': entries}, '\n'.join(lines)


def _draw(path: Path, example: Any, classes: Optional[Sequence[str]], side: int) -> None:
    """Write a picture with its mask."""
    import cv2

    from gluon_cbam.common.errors import DataError
    from gluon_cbam.common.files import atomic_path
    from gluon_cbam.data.class_masks.sets import fitting_mask
    from gluon_cbam.data.decoding import decode
    from gluon_cbam.segmentation.drawing import draw_mask

    pixels = decode(example.picture.read(), printable(example.name))
    found = fitting_mask(example.mask, (pixels.shape[0], pixels.shape[1]), len(classes) if classes else None)
    if found.mask is None:
        assert found.misfit is not None, 'a mask that does not fit has a reason'
        raise DataError(f'{printable(found.misfit.where)}: {found.misfit.reason}')
    drawn = draw_mask(pixels, found.mask, classes or (), side)
    with atomic_path(path) as temporary:
        temporary.write_bytes(cv2.imencode('.png', drawn[..., ::-1])[1].tobytes())
