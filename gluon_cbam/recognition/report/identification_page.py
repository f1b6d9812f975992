"""The report of an identification: its figures, CMC and DET curves, and sheets of the worst probes."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, Dict, List

from gluon_cbam.common.files import PathLike
from gluon_cbam.explain.figures.document import REPORT, Document
from gluon_cbam.explain.figures.html import table_of
from gluon_cbam.explain.figures.sheets import draw_sheet
from gluon_cbam.recognition.identifying import Identified

from .figure_texts import identification_rows
from .plots import draw_cmc, draw_open_set_det
from .worst import sheet_of_probes, worst_probes

_CMC, _DET = 'cmc.png', 'det.png'
_KINDS = (
    (True, 'mistaken.png', 'Probes of known persons that are taken for another person'),
    (False, 'false_alarms.png', 'Probes of unknown persons that are most like a person of the gallery'),
)
_NOTE = 'Intervals have a confidence of 95 % and take the probes as independent.'


def report_files(directory: PathLike) -> List[Path]:
    """All files that the report may have.

    Args:
        directory: the folder.
    """
    return [Path(directory) / name for name in (REPORT, _CMC, _DET, *(kind for _, kind, _ in _KINDS))]


def write_report(found: Identified, about: Dict[str, Any], directory: PathLike, overwrite: bool) -> Path:
    """Write the report of identified probes.

    Without probes of unknown persons there is no DET curve; where images cannot be loaded, no sheets.

    Args:
        found: the identified probes.
        about: what made the embeddings: a line of the page for each.
        directory: the folder, created if it does not exist.
        overwrite: whether its files may exist.

    Returns:
        The page.

    Raises:
        UsageError: a file exists.
    """
    document = Document(directory, report_files(directory), overwrite)
    parts = [document.figure(_CMC, partial(draw_cmc, found.scores.cmc))]
    if found.scores.unknown_probes:
        parts.append(document.figure(_DET, partial(draw_open_set_det, found.results)))
    if found.probes.loader() and found.known.loader():
        parts += _sheets(found, document)
    table = table_of(['figure', ''], identification_rows(found))
    return document.write('Identification', _NOTE, about, [table, *parts])


def _sheets(found: Identified, document: Document) -> List[str]:
    """The sheets of the kinds of probes that there are."""
    parts, scores = [], found.scores
    for known, name, title in _KINDS:
        probes = worst_probes(found, known)
        if not probes:
            continue
        wrong = int((found.results.rank > 1).sum())
        note = (
            f'{wrong} of {scores.known_probes} probes have not rank 1; left the probe, right the image of the gallery'
            if known
            else f'of {scores.unknown_probes} probes; left the probe, right the image of the gallery'
        )
        parts.append(document.figure(name, partial(draw_sheet, sheet_of_probes(found, probes), title, note)))
    return parts
