"""Export a network: its files are written to a temporary directory, compared with the network, and then kept."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Iterator, List, Tuple

from gluon_cbam.common.errors import UsageError, closest
from gluon_cbam.common.files import PathLike, place
from gluon_cbam.compat.renamed import renamed_attributes

from .formats import FORMATS
from .request import ExportReport, ExportRequest
from .samples import SampleImages


def export_network(request: ExportRequest, form: str, output: PathLike, samples: SampleImages) -> ExportReport:
    """Export a network.

    Args:
        request: the network, and how it is exported.
        form: a key of :data:`gluon_cbam.export.formats.FORMATS`.
        output: path of the file; for ``symbol`` the prefix of the files.
        samples: images on which the file is compared with MXNet, see
            :func:`gluon_cbam.export.samples.sample_images`.

    Returns:
        The files, their difference from MXNet, and details of the format.

    Raises:
        UsageError: an unknown format, an output with another suffix, or a directory that does not exist.
        DependencyError: a package is not installed.
        DataError: an operator of the network cannot be translated to ONNX.
        RunError: the outputs differ; no file is kept.
    """
    if form not in FORMATS:
        raise UsageError(f'unknown format {form!r}: {closest(form, FORMATS)}')
    output, (suffix, write) = Path(output), FORMATS[form]
    if suffix and output.suffix != suffix:
        raise UsageError(f'{form} is written to a file that ends in {suffix}, got {str(output)!r}')
    if not output.parent.is_dir():
        raise UsageError(f'no folder {str(output.parent)!r}')
    with _staged(output.parent) as (folder, kept):
        difference, details = write(request, folder / output.name, samples)
    return ExportReport(kept, difference, samples.description, details)


@contextmanager
def _staged(folder: Path) -> Iterator[Tuple[Path, List[Path]]]:
    """A temporary directory in ``folder``; if no error is raised, its files are moved to ``folder``, the card last."""
    kept: List[Path] = []
    with TemporaryDirectory(prefix='.export-', dir=str(folder)) as temporary:
        yield Path(temporary), kept
        for path in sorted(Path(temporary).iterdir(), key=lambda path: (path.suffix == '.json', path.name)):
            place(path, folder / path.name)
            kept.append(folder / path.name)


__getattr__ = renamed_attributes(
    __name__,
    {
        'Report': 'export.request.ExportReport',
        'Request': 'export.request.ExportRequest',
        'export': 'export.exporter.export_network',
    },
)
