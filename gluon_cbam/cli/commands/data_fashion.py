"""``cbam data fashion``: Fashion-MNIST as RecordIO files."""

from __future__ import annotations

from pathlib import Path
from typing import Optional, Tuple

import click

from gluon_cbam.cli.options import force_option
from gluon_cbam.cli.output import common_options
from gluon_cbam.common.printable import printable


@click.command('fashion')
@click.argument('folder')
@click.option(
    '--source', metavar='FOLDER', help='folder of the four files  [the package of Debian, else download them]'
)
@force_option
@common_options
def data_fashion(folder: str, source: Optional[str], overwrite: bool) -> Tuple[dict, str]:
    """Write Fashion-MNIST to FOLDER: 60,000 gray images of 28 x 28 pixels for training, 10,000 for validation.

    The files are those of --source, or of Debian's package dataset-fashion-mnist if it is installed; else they are
    downloaded, 31 MB. Whatever they come from, the hashes of what they hold are compared. MIT license, Zalando SE.
    """
    from tempfile import TemporaryDirectory

    from gluon_cbam.common.files import refuse_existing
    from gluon_cbam.data.datasets.fashion import FILES, installed, write_fashion

    found = source or installed()
    if found is not None:
        counts = write_fashion(found, folder, overwrite)
    else:
        refuse_existing([Path(folder, name) for name in (*FILES, 'classes.txt')], overwrite)  # before the download
        with TemporaryDirectory(prefix='cbam-fashion-') as temporary:
            _download(Path(temporary))
            counts = write_fashion(temporary, folder, overwrite)
    text = '\n'.join(f'{printable(Path(folder, name))}: {count} records' for name, count in counts.items())
    return {'output': folder, 'source': str(found or 'download'), 'records': counts}, text


def _download(folder: Path) -> None:
    """Download the files."""
    from gluon_cbam.data.datasets.fashion import FILES, SERVERS
    from gluon_cbam.zoo.mirrored import fetch_mirrored

    for split in FILES.values():
        for file in split:
            urls = [server + file.name for server in SERVERS]
            fetch_mirrored(urls, folder / file.name, {'md5': file.md5}, file.size)
