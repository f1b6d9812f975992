"""Options of ``cbam validate`` that deal with boxes: results of detectors as files, and the report."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Dict, Optional, Tuple

import click

from gluon_cbam.cli.options import NumberRange, add_options, force_option
from gluon_cbam.common.errors import UsageError
from gluon_cbam.common.settings import flag
from gluon_cbam.common.text_table import aligned

if TYPE_CHECKING:
    from gluon_cbam.tasks import Task
    from gluon_cbam.tasks.detection.scored import ScoredBoxes
    from gluon_cbam.tasks.figures import Evaluation

_MOST_CLASSES = 30  # rows of the table that is printed
_OF_NETWORK = ('network', 'params', 'pretrained', 'exported', 'classes', 'image_size', 'option', 'gpus', 'cpus', 'task')
_ROWS = (
    ('ap', 'ap50', 'ap75', 'ap_small', 'ap_medium', 'ap_large'),
    ('ar1', 'ar10', 'ar100', 'ar_small', 'ar_medium', 'ar_large'), ('voc07', 'voc'),
)  # fmt: skip
"""The figures of each line."""

boxes_options = add_options(
    [
        click.option('--results', metavar='FILE', help="score this file of detections in COCO's format, not a network"),
        click.option('--save-results', metavar='FILE', help="write the detections in COCO's format"),
        click.option('--report', metavar='DIR', help='write a report of the detections: report.html, plots and tables'),
        click.option(
            '--threshold',
            type=NumberRange(0, 1),
            metavar='X',
            help='smallest score in the confusions, errors and pictures of --report  [that of the best F1]',
        ),
        click.option('--ids-of', metavar='JSON', help="COCO's JSON whose ids name the classes in files of results"),
        force_option,
    ]
)
"""The options, for :meth:`BoxOptions.taken_from`."""


@dataclass(frozen=True)
class BoxOptions:
    """The values of :data:`boxes_options`.

    Attributes:
        results: ``--results``.
        save_results: ``--save-results``.
        report: ``--report``.
        threshold: ``--threshold``.
        ids_of: ``--ids-of``.
        overwrite: ``--force``.
    """

    results: Optional[str]
    save_results: Optional[str]
    report: Optional[str]
    threshold: Optional[float]
    ids_of: Optional[str]
    overwrite: bool

    @classmethod
    def taken_from(cls, settings: Dict[str, Any]) -> BoxOptions:
        """Take the options out of those of a command."""
        return cls(**{field.name: settings.pop(field.name) for field in fields(cls)})

    def check(self, task: Optional[Task] = None) -> None:
        """Check before the work that everything can be written.

        Args:
            task: the task of the network; None for a file of results.

        Raises:
            UsageError: the task finds no boxes, an option has no use, or a file exists.
        """
        given = {
            '--save-results': self.save_results, '--report': self.report, '--threshold': self.threshold,
            '--ids-of': self.ids_of,
        }  # fmt: skip
        names = [name for name, value in given.items() if value is not None]
        if task is not None and not task.finds_boxes and names:
            raise UsageError(f'{names[0]} is for detectors, and the task {task.name} finds no boxes: leave it out')
        if self.threshold is not None and self.report is None:
            raise UsageError(
                f'--threshold {self.threshold:g} is for --report DIR: leave it out; figures take all scores'
            )
        from gluon_cbam.common.files import refuse_existing
        from gluon_cbam.detection.report.page import report_files

        files = [] if self.report is None else report_files(self.report)
        refuse_existing([*([self.save_results] if self.save_results else []), *files], self.overwrite)

    def of_evaluation(
        self, task: Task, data: Any, evaluation: Evaluation, network: str, data_val: str
    ) -> Dict[str, Any]:
        """Write what was asked for of the evaluation of a network, see :meth:`write`."""
        if self.save_results is None and self.report is None:
            return {}
        return self.write(task.scored_boxes(data, evaluation), {'network': network, 'data': data_val})

    def write(self, scored: ScoredBoxes, about: Dict[str, Any]) -> Dict[str, Any]:
        """Write what was asked for.

        Args:
            scored: the detections.
            about: where they come from, for the report.

        Returns:
            ``saved_results`` and ``report``, the paths, for ``--json``; what was not asked for is left out.
        """
        written: Dict[str, Any] = {}
        if self.save_results is not None:
            from gluon_cbam.detection.box_data import category_ids_of
            from gluon_cbam.detection.numbering import CocoIds
            from gluon_cbam.detection.results import write_results

            categories = scored.category_ids
            if self.ids_of is not None:
                categories = category_ids_of(self.ids_of, scored.classes)
            ids = CocoIds.of(len(scored.truths), len(scored.classes), scored.image_ids, categories)
            write_results(self.save_results, scored.detections, ids)
            written['saved_results'] = self.save_results
        if self.report is not None:
            from gluon_cbam.detection.report.page import write_report

            written['report'] = str(write_report(scored, about, self.report, self.overwrite, self.threshold))
        return written


def score_file(data_val: str, options: BoxOptions, settings: Dict[str, Any]) -> Tuple[Dict[str, Any], str]:
    """Score a file of results.

    Args:
        data_val: the true boxes, in any format.
        options: the options; ``results`` is given.
        settings: the options of the network, none of which may be given.

    Returns:
        The value for ``--json``, and the text.

    Raises:
        UsageError: an option of a network is given, or a file exists.
        DataError: the data or the results are damaged, or do not fit.
    """
    from gluon_cbam.detection.box_data import open_box_data, score_results

    given = next((name for name in _OF_NETWORK if settings.get(name) not in (None, {}, ())), None)
    if given or options.save_results:
        name = flag(given) if given else '--save-results'
        raise UsageError(f'--results scores a file, without a network: leave {name} out')
    options.check()
    scored = score_results(str(options.results), open_box_data(data_val, options.ids_of))
    value = {'results': options.results, 'data_val': data_val, **scored.scores.as_dict()}
    value.update(options.write(scored, {'results': options.results, 'data': data_val}))
    return value, _text(scored, value)


def _text(scored: ScoredBoxes, value: Dict[str, Any]) -> str:
    scores = scored.scores
    lines = [f'{value["images"]} images, {value["objects"]} true boxes, {value["detections"]} detections']
    lines += [
        '  '.join(f'{name} {scores.figures[name]:.4f}' for name in row if name in scores.figures) for row in _ROWS
    ]
    rows = [list(map(_cell, row.values())) for row in scores.of_classes()]
    if 1 < len(rows) <= _MOST_CLASSES:
        lines.append(aligned([list(scores.of_classes()[0]), *rows]))
    if 'report' in value:
        lines.append(f'report: {value["report"]}')
    return '\n'.join(lines)


def _cell(value: Any) -> str:
    return '-' if value is None else f'{value:.4f}' if isinstance(value, float) else str(value)
