"""``cbam data merge`` and ``select``: sets of faces in records."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Optional, Sequence, Tuple, Union

import click

from gluon_cbam.cli.options import force_option, settings_options
from gluon_cbam.cli.output import common_options
from gluon_cbam.cli.progress import progress_bar
from gluon_cbam.common.printable import printable

from .data_reports import duplicate_lines

if TYPE_CHECKING:
    from gluon_cbam.data.faces.merging import Merged

_Output = Tuple[dict, str]
_SEED = click.option('--seed', type=click.IntRange(0, 2**32 - 1), default=0, show_default=True, help='random seed')
_SHUFFLE = click.option(
    '--shuffle',
    is_flag=True,
    help='random order for reading in sequence, without header and identity records  [by identity]',
)


class _NumberOrShare(click.ParamType):
    """A number of things, or a share of them between 0 and 1: an int or a float."""

    name = 'N|share'

    def convert(self, value: Any, param: Optional[click.Parameter], ctx: Optional[click.Context]) -> Union[int, float]:
        """Read the text."""
        text = str(value)
        share = '.' in text
        if not re.fullmatch(r'0?\.\d{1,9}' if share else r'\d{1,9}', text, re.ASCII) or not float(text):
            self.fail(f'{text[:40]!r} is neither a number from 1 on nor a share such as 0.1', param, ctx)
        return float(text) if share else int(text)


@click.command('merge')
@click.argument('sets', nargs=-1, required=True)
@click.argument('output')
@click.option('--drop-duplicates', is_flag=True, help='leave out pictures that occurred before  [count them]')
@_SHUFFLE
@_SEED
@settings_options('workers')
@force_option
@common_options
def data_merge(sets: Sequence[str], output: str, workers: Optional[int], **options: Any) -> _Output:
    """Merge SETS of faces in insightface's format into OUTPUT/train.rec.

    A set is a .rec file or the folder of a train.rec. Labels are moved behind those of the sets before, so that no two
    identities have one. Equal pictures are found by a hash of their bytes, within and across the sets. Pictures are
    kept as they are.
    """
    from gluon_cbam.compat.threads import usable_cpus
    from gluon_cbam.data.faces.merging import merge

    done = merge(sets, output, workers=workers or usable_cpus(), progress=progress_bar, **options)
    value = {**done._asdict(), 'path': str(done.path), 'duplicates': done.duplicates._asdict()}
    value['sets'] = [{**each._asdict(), 'path': str(each.path)} for each in done.sets]
    return value, '\n'.join(_merged_lines(done))


def _merged_lines(done: Merged) -> Sequence[str]:
    lines = [f'{printable(done.path)}: {done.pictures} pictures of {done.identities} identities']
    for each in done.sets:
        dropped = f', {each.dropped} left out' if each.dropped else ''
        lines.append(
            f'  {printable(each.path)}: {each.pictures} pictures{dropped}, {each.identities} identities from label '
            f'{each.first_label} on'
        )
    if done.empty:
        lines.append(f'warning: {done.empty} identities have no picture; cbam data select numbers the others anew')
    return lines + duplicate_lines(done.duplicates)


@click.command('select')
@click.argument('source')
@click.argument('output')
@click.option(
    '--min-pictures', type=click.IntRange(1), default=1, show_default=True, help='leave identities with fewer out'
)
@click.option('--max-pictures', type=click.IntRange(1), help='pictures of an identity, chosen at random  [all]')
@click.option('--identities', type=_NumberOrShare(), help='identities, chosen at random: a number or a share  [all]')
@click.option(
    '--val-identities', type=_NumberOrShare(), help='identities of these held out in OUTPUT/val/val.rec  [none]'
)
@click.option('--keep-labels', is_flag=True, help='keep the labels  [number the identities anew]')
@_SHUFFLE
@_SEED
@force_option
@common_options
def data_select(source: str, output: str, **options: Any) -> _Output:
    """Write a part of the set of faces SOURCE to OUTPUT/train.rec, split by identity if wanted.

    SOURCE is a .rec file in insightface's format or the folder of a train.rec. classes.txt has the names of the
    identities, or the labels that they had. Pictures are kept as they are.
    """
    from gluon_cbam.data.faces.selecting import select

    done = select(source, output, progress=progress_bar, **options)
    lines = [f'{printable(each.path)}: {each.pictures} pictures of {each.identities} identities' for each in done]
    value = {'output': output, 'sets': [{**each._asdict(), 'path': str(each.path)} for each in done]}
    return value, '\n'.join(lines)
