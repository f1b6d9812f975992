"""Files that ``cbam validate`` writes besides the figures that it prints: reports, detections, predictions."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields
from importlib import import_module
from typing import TYPE_CHECKING, Any, Dict, Optional, Sequence

import click

from gluon_cbam.cli.options import NumberRange, add_options, force_option
from gluon_cbam.common.errors import UsageError

from .network_options import refuse_other_tasks

if TYPE_CHECKING:
    from pathlib import Path

    from gluon_cbam.tasks import Task
    from gluon_cbam.tasks.figures import Evaluation
    from gluon_cbam.tasks.protocols import Model

REPORTS: Dict[str, str] = {
    'classification': 'gluon_cbam.classification.report.page',
    'detection': 'gluon_cbam.detection.report.page',
    'multilabel': 'gluon_cbam.multilabel.report.page',
    'segmentation': 'gluon_cbam.segmentation.report.page',
}
"""Name of a task -> the module of its report, with ``report_files(directory)``, all files that a report may have, and
``write_report(scored, about, directory, overwrite)``, which takes what :meth:`gluon_cbam.tasks.Task.scored` gives and
returns the path of the page."""

_PREDICTIONS: Dict[str, str] = {
    'classification': 'gluon_cbam.classification.predictions',
    'multilabel': 'gluon_cbam.multilabel.predictions',
}
"""Name of a task -> the module with ``write_predictions(scored, path)``."""
_TASKS = {'--report': REPORTS, '--confusion': ('classification',), '--save-predictions': _PREDICTIONS}
"""Option -> the names of its tasks."""

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
        click.option('--confusion', metavar='FILE', help='write the confusion matrix of a classifier, .csv or .png'),
        click.option('--save-predictions', metavar='FILE', help='write the predicted classes of each record, .csv'),
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
        confusion: ``--confusion``.
        save_predictions: ``--save-predictions``.
        ids_of: ``--ids-of``.
        overwrite: ``--force``: whether the files may exist.
    """

    save_results: Optional[str]
    report: Optional[str]
    threshold: Optional[float]
    confusion: Optional[str]
    save_predictions: Optional[str]
    ids_of: Optional[str]
    overwrite: bool

    @classmethod
    def taken_from(cls, settings: Dict[str, Any]) -> Outputs:
        """Take the options out of those of a command."""
        return cls(**{field.name: settings.pop(field.name) for field in fields(cls)})

    @property
    def has_predictions(self) -> bool:
        """Whether there is a file with the most probable classes of each record, if the task classifies."""
        return self.save_predictions is not None or self.report is not None

    def check(self, task: Task) -> None:
        """Check before the work that everything can be written.

        Args:
            task: the task of what is scored.

        Raises:
            UsageError: the task has no such file, an option has no use, or a file exists.
        """
        of_boxes = {'--save-results': self.save_results, '--threshold': self.threshold, '--ids-of': self.ids_of}
        names = [name for name, value in of_boxes.items() if value is not None]
        if names and not task.finds_boxes:
            raise UsageError(f'{names[0]} is for detectors, and the task {task.name} finds no boxes: leave it out')
        given = {'--confusion': self.confusion, '--save-predictions': self.save_predictions, '--report': self.report}
        refuse_other_tasks([name for name, value in given.items() if value is not None], _TASKS, task)
        self._check_endings()
        if self.threshold is not None and self.report is None:
            raise UsageError(
                f'--threshold {self.threshold:g} is for --report DIR: leave it out; figures take all scores'
            )
        from gluon_cbam.common.files import refuse_existing
        from gluon_cbam.common.folders import refuse_missing_folders

        files = [] if self.report is None else import_module(REPORTS[task.name]).report_files(self.report)
        single = [path for path in (self.save_results, self.confusion, self.save_predictions) if path is not None]
        self._check_places(files)
        refuse_missing_folders(single)
        refuse_existing([*single, *files], self.overwrite)

    def _check_endings(self) -> None:
        """Check the names of the files of classes."""
        if self.confusion is not None:
            from gluon_cbam.classification.confusion_files import confusion_format

            confusion_format(self.confusion)
        if self.save_predictions is not None and not self.save_predictions.lower().endswith('.csv'):
            raise UsageError(f'--save-predictions writes a .csv file, got {self.save_predictions!r}')

    def _check_places(self, files: Sequence[Path]) -> None:
        """Check that no file is written twice, of which the second would remain."""
        places = {os.path.realpath(file): '--report' for file in files}
        single = {'--save-results': self.save_results, '--confusion': self.confusion}
        for name, path in {**single, '--save-predictions': self.save_predictions}.items():
            first = path and places.setdefault(os.path.realpath(path), name)
            if first not in (None, name):
                raise UsageError(f'{first} and {name} both write {path!r}: give two files')

    def of_evaluation(
        self, task: Task, data: Any, evaluation: Evaluation, model: Model, about: Dict[str, Any]
    ) -> Dict[str, Any]:
        """Write what was asked for of the evaluation of a network, see :meth:`write`."""
        if not any((self.save_results, self.report, self.confusion, self.save_predictions)):
            return {}
        return self.write(task, task.scored(data, evaluation, model), about)

    def write(self, task: Task, scored: Any, about: Dict[str, Any]) -> Dict[str, Any]:
        """Write what was asked for.

        Args:
            task: the task of what was scored.
            scored: see :meth:`gluon_cbam.tasks.Task.scored`.
            about: where it comes from, for the report.

        Returns:
            ``saved_results``, ``confusion``, ``saved_predictions`` and ``report``, the paths, for ``--json``; what was
            not asked for is left out.
        """
        written: Dict[str, Any] = {}
        if self.save_results is not None:
            self._write_results(scored, self.save_results)
            written['saved_results'] = self.save_results
        if self.confusion is not None:
            from gluon_cbam.classification.confusion_files import confusion_format

            confusion_format(self.confusion)(scored, self.confusion)
            written['confusion'] = self.confusion
        if self.save_predictions is not None:
            import_module(_PREDICTIONS[task.name]).write_predictions(scored, self.save_predictions)
            written['saved_predictions'] = self.save_predictions
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
