"""Downloads a file of a package without installing it, with the settings of pip or uv."""

from __future__ import annotations

from pathlib import Path

from .installers import find_installer, run


def fetch(name: str, version: str, sha256: str, folder: Path) -> Path:
    """Download a wheel of a package; its index, mirror and proxy are those of the settings of pip or uv.

    Args:
        name: name of the distribution.
        version: its version.
        sha256: the only SHA-256 that is accepted.
        folder: an existing folder for the download.

    Returns:
        The folder of the result: pip leaves the wheel in it, uv what the wheel holds.

    Raises:
        EnvironmentProblem: there is neither pip nor uv.
        DataError: the file has another hash.
        TransferError: it cannot be downloaded.
    """
    requirements, target = folder / 'requirements.txt', folder / 'files'
    requirements.write_text(f'{name}=={version} --hash=sha256:{sha256}\n', encoding='ascii')
    options = ('--no-deps', '--only-binary', ':all:', '--require-hashes', '--requirement', str(requirements))
    run((*find_installer().fetch, str(target), *options), f'{name} {version}')
    return target
