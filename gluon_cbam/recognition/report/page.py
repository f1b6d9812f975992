"""The folder of a report: the plots and sheets as PNG, and a page with all of them in one file."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, Dict, List, Sequence

from gluon_cbam.common.files import PathLike, atomic_path, refuse_existing, write_text
from gluon_cbam.common.printable import printable
from gluon_cbam.explain.figures.html import STYLE, escaped, png_source
from gluon_cbam.recognition.verification import VerifiedPairs

from .figure_texts import figure_rows
from .plots import draw_det, draw_histogram, draw_roc
from .sheets import draw_sheet, worst_pairs

REPORT = 'report.html'
_KINDS = (
    (False, 'false_accepts', 'Different persons that are most alike'),
    (True, 'false_rejects', 'One person that is least alike'),
)


def report_files(names: Sequence[str], directory: PathLike) -> List[Path]:
    """All files of the report of sets with these names.

    Args:
        names: the names of the sets.
        directory: the folder.
    """
    kinds = ('similarities', *(kind for _, kind, _ in _KINDS))
    own = [f'{_stem(name, number)}_{kind}.png' for number, name in enumerate(names) for kind in kinds]
    return [Path(directory) / name for name in (REPORT, 'roc.png', 'det.png', *own)]


def _stem(name: str, number: int) -> str:
    return f'{number + 1}_{printable(name)[:100]}'


def write_report(results: Sequence[VerifiedPairs], about: Dict[str, Any], directory: PathLike, overwrite: bool) -> Path:
    """Write the report of verified sets.

    Args:
        results: the sets.
        about: what made the embeddings: a line of the page for each.
        directory: the folder, created if it does not exist.
        overwrite: whether its files may exist.

    Returns:
        The page.

    Raises:
        UsageError: a file exists.
    """
    directory = Path(directory)
    refuse_existing(report_files([result.name for result in results], directory), overwrite)
    directory.mkdir(parents=True, exist_ok=True)

    def figure(name: str, draw: Callable[[Path], None]) -> str:
        with atomic_path(directory / name) as temporary:
            draw(temporary)
        return f'<img src="{png_source(directory / name)}" alt="{escaped(name)}">'

    curves = [
        figure('roc.png', lambda path: draw_roc(results, path)),
        figure('det.png', lambda path: draw_det(results, path)),
    ]
    sections = [_section(result, _stem(result.name, number), figure) for number, result in enumerate(results)]
    lines = ''.join(f'<br>{escaped(name)}: {escaped(str(value))}' for name, value in about.items())
    names = ', '.join(escaped(result.name) for result in results)
    write_text(
        directory / REPORT,
        _PAGE.format(
            style=STYLE, title=f'Verification: {names}', about=lines, table=_table(results), curves=''.join(curves),
            sections='\n'.join(sections),
        ),
    )  # fmt: skip
    return directory / REPORT


def _section(result: VerifiedPairs, stem: str, figure: Callable[[str, Callable[[Path], None]], str]) -> str:
    parts = [figure(f'{stem}_similarities.png', lambda path: draw_histogram(result, path))]
    if result.load is not None:
        for same, kind, title in _KINDS:
            pairs = worst_pairs(result, same)
            parts.append(
                figure(f'{stem}_{kind}.png', lambda path, p=pairs, t=title: draw_sheet(result, p, t, path))  # type: ignore[misc]
            )
    return f'<h2>{escaped(result.name)}</h2>{"".join(parts)}'


def _table(results: Sequence[VerifiedPairs]) -> str:
    columns = [figure_rows(result) for result in results]
    head = ''.join(f'<th>{escaped(result.name)}' for result in results)
    body = ''.join(
        f'<tr><td>{escaped(cells[0][0])}{"".join(f"<td>{escaped(value)}" for _, value in cells)}'
        for cells in zip(*columns)
    )
    return f'<table><thead><tr><th>figure{head}</thead><tbody>{body}</tbody></table>'


_PAGE = """<!DOCTYPE html>
<html lang=en><meta charset=utf-8><meta name=viewport content="width=device-width,initial-scale=1">
<title>{title}</title>
<style>
{style}
img {{ max-width: 100%; height: auto; display: block; margin: .6rem 0 }}
</style>
<h1>{title}</h1><p>Intervals have a confidence of 95 % and take the pairs as independent.{about}
{table}
{curves}
{sections}
</html>
"""
