"""Export a network: its files are written to a temporary directory, compared with the network, and then kept."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import Iterator, List, Tuple

from gluon_cbam.common.errors import UsageError, closest
from gluon_cbam.common.files import PathLike, disk_errors, place
from gluon_cbam.common.final_names import naming
from gluon_cbam.common.folders import temporary_folder
from gluon_cbam.common.listing import listed
from gluon_cbam.compat.renamed import renamed_attributes

from .formats import FORMATS
from .request import ExportReport, ExportRequest
from .samples import SampleImages
from .symbol import SYMBOL_ENDINGS, symbol_files
from .tracing import USUAL

_SUFFIXES = {row.suffix for row in FORMATS.values() if row.suffix} | {'.json', '.params'}


def export_network(request: ExportRequest, form: str, output: PathLike, samples: SampleImages) -> ExportReport:
    """Export a network.

    Args:
        request: the network, and how it is exported.
        form: a key of :data:`gluon_cbam.export.formats.FORMATS`.
        output: path of the file; for ``symbol`` the prefix of the files, or one of them.
        samples: images on which the file is compared with MXNet, see
            :func:`gluon_cbam.export.samples.sample_images`.

    Returns:
        The files, their agreement with MXNet, and details of the format.

    Raises:
        UsageError: an unknown format, an output with another suffix, or a directory that does not exist.
        DependencyError: a package is not installed.
        DataError: an operator of the network cannot be translated to ONNX.
        RunError: the outputs differ; no file is kept.
    """
    output, write = output_path(form, output), FORMATS[form].write
    _check_format(request, form)
    if not output.parent.is_dir():
        raise UsageError(f'no folder {str(output.parent)!r} for {output.name!r}: create it first')
    with disk_errors(output), _staged(output.parent) as (folder, kept):
        agreement, details = write(request, folder / output.name, samples)
    return ExportReport(kept, agreement, f'{len(samples)} {samples.description}', details, request.sizes)


def _check_format(request: ExportRequest, form: str) -> None:
    """Refuse a network or a graph that the format does not hold."""
    if getattr(request.loaded.net, 'detects', False) and not FORMATS[form].detectors:
        formats = listed((name for name, row in FORMATS.items() if row.detectors), 'or')
        raise UsageError(f'{form} does not hold detectors such as {request.loaded.name}: give --format {formats}')
    if request.graph != USUAL and not FORMATS[form].graphs:
        name = '--dynamic' if request.graph.dynamic else '--no-nms'
        formats = listed((name for name, row in FORMATS.items() if row.graphs), 'or')
        raise UsageError(f'{name} is for {formats}, got --format {form}: leave it out')


def output_path(form: str, output: PathLike) -> Path:
    """The path that a format is written to.

    Args:
        form: a key of :data:`gluon_cbam.export.formats.FORMATS`.
        output: path of the file; for ``symbol`` the prefix of the files, or one of them.

    Returns:
        The path; for ``symbol`` the prefix.

    Raises:
        UsageError: an unknown format, or an output with another suffix.
    """
    if form not in FORMATS:
        raise UsageError(f'unknown format {form!r}: {closest(form, FORMATS)}')
    suffix, text = FORMATS[form].suffix, str(output)
    if suffix is None:
        ending = next((end for end in SYMBOL_ENDINGS if text.endswith(end) and Path(text).name != end), '')
        prefix = Path(text[: len(text) - len(ending)])
        if prefix.suffix in _SUFFIXES:
            files = ', '.join(f'PREFIX{end}' for end in SYMBOL_ENDINGS)
            raise UsageError(f'{form} is written to {files}: give PREFIX, such as {prefix.stem}, got {text!r}')
        return prefix
    if Path(text).suffix != suffix:
        other = next((name for name, row in FORMATS.items() if row.suffix == Path(text).suffix), None)
        other = 'symbol' if text.endswith(SYMBOL_ENDINGS) else other
        hint = f'; for this file give --format {other}' if other and Path(text).suffix else ''
        raise UsageError(f'{form} is written to a file that ends in {suffix}, got {text!r}{hint}')
    return Path(text)


def written_files(form: str, output: PathLike) -> List[Path]:
    """The files that :func:`export_network` writes; see :func:`output_path`."""
    path = output_path(form, output)
    return symbol_files(path) if FORMATS[form].suffix is None else [path]


@contextmanager
def _staged(folder: Path) -> Iterator[Tuple[Path, List[Path]]]:
    """A temporary directory in ``folder``; if no error is raised, its files are moved to ``folder``, the card last."""
    kept: List[Path] = []
    with temporary_folder(folder, '.export-') as temporary:
        with naming(temporary, folder):
            yield temporary, kept
        for path in sorted(temporary.iterdir(), key=lambda path: (path.suffix == '.json', path.name)):
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
