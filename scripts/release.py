"""Makes a release in dist/VERSION: wheels, sdist, weights, the documentation site, and SHA256SUMS. Nothing is uploaded.

Everything is made in a clone, in which the version is set and tagged. The files, the commit and the tag are taken over
at the end, so that a step which fails leaves the checkout as it was. A dry run takes nothing over.
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import click
from releasing import checkout, files
from releasing.steps import announce

from gluon_cbam.common.errors import CbamError, UsageError

ROOT = Path(__file__).resolve().parent.parent


@click.command(help=__doc__)
@click.argument('version', required=False)
@click.option('--dry-run', is_flag=True, help='make everything and leave nothing; VERSION: default the unreleased one')
@click.option(
    '--site',
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help='the documentation site that was built before, for a dry run',
)
def main(version, dry_run, site):
    try:
        if dry_run:
            version = version or checkout.unreleased(ROOT)
        elif version is None or site is not None:
            raise UsageError('give the version, for instance scripts/release 1.0.0; --site is for --dry-run')
        if version is None:
            announce('CHANGELOG.md has no unreleased section: nothing to release')
            return
        release(ROOT, version, dry_run, site)
    except CbamError as error:
        click.echo(f'release: {error}', err=True)
        sys.exit(error.exit_code)


def release(root, version, dry_run=False, site=None):
    """Make the files in a clone of root; take them over unless it is a dry run."""
    checkout.check(root, version, dry_run)
    with TemporaryDirectory() as folder:
        clone, made = Path(folder, 'clone'), Path(folder, 'made')
        checkout.clone_release(root, version, clone, dry_run)
        files.make(root, clone, made, version, files.Reuse(operators=dry_run, site=site))
        if dry_run:
            announce(f'dry run: {version} can be released, nothing was kept')
        else:
            checkout.take_over(root, version, clone, made)
            announce(
                _UPLOADING.format(version=version, folder=checkout.folder_of(root, version), url=checkout.url(root))
            )


_UPLOADING = """done: {folder}. To publish it:
    git push origin HEAD v{version}
    twine upload {folder}/gluon_cbam-{version}.tar.gz {folder}/*.whl
and copy the other files to {url}/releases, where the cards of the zoo expect the weights"""


if __name__ == '__main__':
    main()
