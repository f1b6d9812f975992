"""The report of a verification: its figures, curves, histograms, and sheets of the worst pairs."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, Dict, List, Sequence

from gluon_cbam.common.files import PathLike
from gluon_cbam.common.printable import printable
from gluon_cbam.explain.figures.document import REPORT, Document
from gluon_cbam.explain.figures.html import escaped, table_of
from gluon_cbam.explain.figures.sheets import draw_sheet
from gluon_cbam.recognition.verification import VerifiedPairs

from .figure_texts import figure_rows
from .plots import draw_det, draw_histogram, draw_roc
from .worst import sheet_of_pairs, worst_pairs

_KINDS = (
    (False, 'false_accepts', 'Different persons that are most alike'),
    (True, 'false_rejects', 'One person that is least alike'),
)
_NOTE = 'Intervals have a confidence of 95 % and take the pairs as independent.'


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
    document = Document(directory, report_files([result.name for result in results], directory), overwrite)
    curves = [
        document.figure('roc.png', partial(draw_roc, results)),
        document.figure('det.png', partial(draw_det, results)),
    ]
    sections = [_section(result, _stem(result.name, number), document) for number, result in enumerate(results)]
    rows = [(cells[0][0], *(value for _, value in cells)) for cells in zip(*map(figure_rows, results))]
    table = table_of(['figure', *(result.name for result in results)], rows)
    title = f'Verification: {", ".join(result.name for result in results)}'
    return document.write(title, _NOTE, about, [table, *curves, *sections])


def _section(result: VerifiedPairs, stem: str, document: Document) -> str:
    parts = [document.figure(f'{stem}_similarities.png', partial(draw_histogram, result))]
    for same, kind, title in _KINDS if result.load is not None else ():
        pairs = worst_pairs(result, same)
        note = f'{sum(pair.wrong for pair in pairs)} of these {len(pairs)} are on the wrong side of the threshold'
        draw = partial(draw_sheet, sheet_of_pairs(result, pairs), title, note)
        parts.append(document.figure(f'{stem}_{kind}.png', draw))
    return f'<h2>{escaped(result.name)}</h2>{"".join(parts)}'
