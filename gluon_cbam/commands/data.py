"""``cbam data``: RecordIO files."""

from __future__ import annotations

import click

from ..console import common_options, progress_bar, settings_options


@click.group()
def data():
    """RecordIO files."""


@data.command('digits')
@click.argument('folder')
@click.option(
    '--clutter', type=click.IntRange(1), metavar='N', help='N images of 32 x 32 pixels: one digit among fragments'
)
@click.option('--seed', type=click.IntRange(0), default=0, show_default=True, help='of the clutter')
@common_options
def data_digits(folder, clutter, seed):
    """Write scikit-learn's handwritten digits to FOLDER: 1,437 scans to train on, 360 held out."""
    from ..data.digits import write_digits

    counts = write_digits(folder, clutter, seed)
    return {'output': folder, 'records': counts}, '\n'.join(
        f'{folder}/{name}: {n} records' for name, n in counts.items()
    )


@data.command('pack')
@click.argument('source')
@click.argument('output')
@click.option('--resize', type=click.IntRange(1), help='shorter side in pixels, encoded anew  [the original bytes]')
@click.option('--quality', type=click.IntRange(1, 100), default=95, show_default=True, help='of the JPEGs of --resize')
@click.option('--skip-bad', is_flag=True, help='leave out files that cannot be decoded')
@click.option('--root', help='folder where the paths of a .lst begin  [its own]')
@settings_options('workers')
@common_options
def data_pack(source, output, workers, **options):
    """Pack images to OUTPUT/*.rec, *.idx and classes.txt.

    SOURCE is a folder of class folders (gives train.rec), a folder with train/ and val/ of class folders, or a .lst
    file (gives a .rec of its name).
    """
    from ..compat.threads import usable_cpus
    from ..data.packing import pack

    done = pack(source, output, workers=workers or usable_cpus(), progress=progress_bar, **options)
    files = [
        {'file': str(part.path), 'records': part.records, 'bad': part.bad, 'other_files': part.other} for part in done
    ]
    lines = []
    for part in done:
        lines.append(
            f'{part.path}: {part.records} records, {len(part.bad)} bad files left out, {part.other} other files'
        )
        lines += [f'  bad: {path}: {fault}' for path, fault in part.bad.items()]
    return {'output': output, 'files': files}, '\n'.join(lines)


@data.command('index')
@click.argument('file')
@common_options
def data_index(file):
    """Rebuild the .idx of a .rec FILE."""
    from ..data.recordio import index_path, rebuild_index

    count = rebuild_index(file)
    return {'index': str(index_path(file)), 'records': count}, f'{index_path(file)}: {count} records'
