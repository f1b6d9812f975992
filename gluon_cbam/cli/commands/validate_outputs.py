"""Files that ``cbam validate`` writes besides the figures that it prints: reports, and results of detectors."""

from __future__ import annotations

from dataclasses import dataclass, fields
from importlib import import_module
from typing import TYPE_CHECKING, Any, Dict, Optional

import click

from gluon_cbam.cli.options import NumberRange, add_options, force_option
from gluon_cbam.common.errors import UsageError

if TYPE_CHECKING:
    from gluon_cbam.tasks import Task
    from gluon_cbam.tasks.figures import Evaluation

REPORTS: Dict[str, str] = {
    'detection': 'gluon_cbam.detection.report.page',
    'segmentation': 'gluon_cbam.segmentation.report.page',
}
"""Name of a task -> the module of its report, with ``report_files(directory)``, all files that a report may have, and
``write_report(scored, about, directory, overwrite)``, which takes what :meth:`gluon_cbam.tasks.Task.scored` gives and
returns the path of the page."""

output_options = add_options(
    [
        click.option('--save-results', metavar='FILE', help="write the detections in COCO's format"),
        click.option('--report', metavar='DIR', help='write a report: report.html, plots and tables'),
        click.option(
            '--threshold',
            type=NumberRange(0, 1),
            metavar='X',
            help='smallest score of detections in the confusions, errors and pictures of --report  [that of the best '
            'F1]',
        ),
        click.option('--ids-of', metavar='JSON', help="COCO's JSON whose ids name the classes in files of results"),
        force_option,
    ]
)
"""The options, for :meth:`Outputs.taken_from`."""


@dataclass(frozen=True)
class Outputs:
    """The values of :data:`output_options`.

    Attributes:
        save_results: ``--save-results``.
        report: ``--report``.
        threshold: ``--threshold``.
        ids_of: ``--ids-of``.
        overwrite: ``--force``: whether the files may exist.
    """

    save_results: Optional[str]
    report: Optional[str]
    threshold: Optional[float]
    ids_of: Optional[str]
    overwrite: bool

    @classmethod
    def taken_from(cls, settings: Dict[str, Any]) -> Outputs:
        """Take the options out of those of a command."""
        return cls(**{field.name: settings.pop(field.name) for field in fields(cls)})

    def check(self, task: Task) -> None:
        """Check before the work that everything can be written.

        Args:
            task: the task of what is scored.

        Raises:
            UsageError: the task has no such file, an option has no use, or a file exists.
        """
        given = {'--save-results': self.save_results, '--threshold': self.threshold, '--ids-of': self.ids_of}
        names = [name for name, value in given.items() if value is not None]
        if names and not task.finds_boxes:
            raise UsageError(f'{names[0]} is for detectors, and the task {task.name} finds no boxes: leave it out')
        if self.report is not None and task.name not in REPORTS:
            raise UsageError(f'--report is for {" and ".join(REPORTS)}, and the task is {task.name}: leave it out')
        if self.threshold is not None and self.report is None:
            raise UsageError(
                f'--threshold {self.threshold:g} is for --report DIR: leave it out; figures take all scores'
            )
        from gluon_cbam.common.files import refuse_existing

        files = [] if self.report is None else import_module(REPORTS[task.name]).report_files(self.report)
        refuse_existing([*([self.save_results] if self.save_results else []), *files], self.overwrite)

    def of_evaluation(
        self, task: Task, data: Any, evaluation: Evaluation, network: str, data_val: str
    ) -> Dict[str, Any]:
        """Write what was asked for of the evaluation of a network, see :meth:`write`."""
        if self.save_results is None and self.report is None:
            return {}
        return self.write(task, task.scored(data, evaluation), {'network': network, 'data': data_val})

    def write(self, task: Task, scored: Any, about: Dict[str, Any]) -> Dict[str, Any]:
        """Write what was asked for.

        Args:
            task: the task of what was scored.
            scored: see :meth:`gluon_cbam.tasks.Task.scored`.
            about: where it comes from, for the report.

        Returns:
            ``saved_results`` and ``report``, the paths, for ``--json``; what was not asked for is left out.
        """
        written: Dict[str, Any] = {}
        if self.save_results is not None:
            self._write_results(scored, self.save_results)
            written['saved_results'] = self.save_results
        if self.report is not None:
            others = {} if self.threshold is None else {'least_score': self.threshold}
            pages = import_module(REPORTS[task.name])
            written['report'] = str(pages.write_report(scored, about, self.report, self.overwrite, **others))
        return written

    def _write_results(self, scored: Any, path: str) -> None:
        from gluon_cbam.detection.box_data import category_ids_of
        from gluon_cbam.detection.numbering import CocoIds
        from gluon_cbam.detection.results import write_results

        categories = scored.category_ids
        if self.ids_of is not None:
            categories = category_ids_of(self.ids_of, scored.classes)
        ids = CocoIds.of(len(scored.truths), len(scored.classes), scored.image_ids, categories)
        write_results(path, scored.detections, ids)
