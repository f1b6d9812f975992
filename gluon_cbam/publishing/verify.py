"""Verification of published weights: their scores are measured and compared with their cards."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Dict, List, Optional

import mxnet as mx

from gluon_cbam import zoo
from gluon_cbam.common.errors import DataError
from gluon_cbam.common.files import PathLike, sha256
from gluon_cbam.inference.network import load_network
from gluon_cbam.tasks import Task
from gluon_cbam.tasks.class_check import check_classes
from gluon_cbam.tasks.classes import ClassCheck
from gluon_cbam.tasks.evaluation import evaluate
from gluon_cbam.tasks.figures import Evaluation
from gluon_cbam.tasks.protocols import Progress, no_progress
from gluon_cbam.training.checkpoint.run_directory import environment
from gluon_cbam.zoo.card import Metrics


@dataclass(frozen=True)
class Verdict:
    """The measured scores of weights, and the scores on their card.

    Attributes:
        task: the task that the weights are for.
        tag: the tag of the weights.
        params_sha256: the SHA-256 of their parameter file.
        data: name of the file with the records.
        data_sha256: the SHA-256 of that file.
        evaluation: the evaluation of every record.
        card: the metrics that the card states.
        classes: the comparison of the names of the classes with those of the data.
    """

    task: Task
    tag: str
    params_sha256: str
    data: str
    data_sha256: str
    evaluation: Evaluation
    card: Metrics
    classes: ClassCheck = field(default_factory=ClassCheck)

    @property
    def stated(self) -> Dict[str, float]:
        """The figures on the card that the task compares, by name."""
        compared = self.task.compared_in(self.evaluation.figures)
        return {name: value for name, value in self.card.values.items() if name in compared}

    @property
    def differences(self) -> Dict[str, float]:
        """Measured minus stated figures, by name."""
        return {name: self.evaluation.figures[name] - value for name, value in self.stated.items()}

    @property
    def tolerance(self) -> float:
        """The largest difference at which a figure agrees with the card."""
        return self.task.tolerance(self.card.measured_by, self.evaluation.records)

    @property
    def agrees(self) -> Optional[bool]:
        """Whether no difference is larger than the tolerance; None where nothing is stated."""
        return all(abs(value) <= self.tolerance for value in self.differences.values()) if self.stated else None

    @property
    def same_data(self) -> Optional[bool]:
        """Whether the card's figures were measured on this data file; None where the card has no hash of it."""
        return self.data_sha256 == self.card.data_sha256 if self.card.data_sha256 else None

    def as_dict(self) -> Dict[str, Any]:
        """The verdict as ``--json`` gives it and the store keeps it."""
        measured = {**self.evaluation.figures, 'records': self.evaluation.records}
        return {
            'params_sha256': self.params_sha256, 'data': self.data, 'data_sha256': self.data_sha256,
            'metrics': measured, 'stated': self.stated, 'stated_by': self.card.measured_by,
            'differences': self.differences, 'tolerance': self.tolerance, 'agrees': self.agrees,
            'same_data': self.same_data, 'date': datetime.now(timezone.utc).isoformat(timespec='seconds'),
            'versions': versions(), **self.classes.as_dict(),
        }  # fmt: skip

    def check(self) -> None:
        """Compare the measured figures with the card, if this project measured the figures on the card.

        Raises:
            DataError: a figure differs by more than the tolerance.
        """
        if self.card.measured_by == 'publisher' or self.agrees is not False:
            return
        measured = self.evaluation.figures
        scores = (f'{name} {measured[name]:.4f} instead of {was:.4f}' for name, was in self.stated.items())
        other = ', on other records than the card' if self.same_data is False else ''
        raise DataError(f'{self.tag} scores {", ".join(scores)}{other}: more than {self.tolerance:.4f} from its card')


def verify(
    card: zoo.Published,
    path: Path,
    data: PathLike,
    ctx: List[mx.Context],
    batch_size: int,
    workers: int,
    progress: Progress = no_progress,
    label_index: Optional[int] = None,
    ignore_classes: bool = False,
) -> Verdict:
    """Evaluate the parameter file of a card on every record of a file.

    Args:
        card: the card of the weights.
        path: the path of their parameter file.
        data: validation data of the card's task, for classification a ``.rec`` file.
        ctx: the contexts of the network.
        batch_size: images per context.
        workers: threads that decode.
        progress: shows the progress.
        label_index: the label that the task uses of records with several, from 0.
        ignore_classes: do not compare the names of the classes with those of the data.

    Returns:
        The measured scores and those of the card.

    Raises:
        DataError: a file is damaged, or its labels or the names of its classes do not fit the network.
    """
    loaded = load_network(card.network, ctx, str(path), label_index=label_index)
    task = loaded.task
    records = task.open_validation(data, loaded.classes)
    checked = check_classes(task, loaded.named_classes, data, ignore_classes, records, loaded.classes)
    evaluation = evaluate(task, loaded.net, records, loaded.preprocessing, ctx, batch_size, workers, progress)
    digest = loaded.params_sha256 or sha256(path)
    measured = Path(data).name, task.digest(records), evaluation
    return Verdict(task, str(card.tag), digest, *measured, card.metrics, checked)


def versions() -> Dict[str, str]:
    """The versions of Python and of the packages that a score depends on."""
    from gluon_cbam import __version__

    here = environment()
    return {'gluon_cbam': __version__, 'python': here['python'], **here['packages']}
