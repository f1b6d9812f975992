"""The scores of published weights, measured here and compared with what their cards state."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, List, Optional

import mxnet as mx

from gluon_cbam import zoo
from gluon_cbam.common.errors import DataError
from gluon_cbam.common.files import PathLike, sha256
from gluon_cbam.data.records.recordio import RecordFile
from gluon_cbam.inference.network import load_network
from gluon_cbam.tasks.classification.evaluation import Evaluation, evaluate
from gluon_cbam.training.checkpoint.run_directory import environment
from gluon_cbam.zoo.card import Metrics

_ACCURACIES = ('top1', 'top5')
# Of the publisher: another decoder and resize move accuracies by half a percentage point. Of this project: the same
# computation, where another processor may turn one record in a thousand, or a single one.
_TOLERANCE = {'publisher': 0.01, 'verified': 0.001}


@dataclass(frozen=True)
class Verdict:
    """What weights score here, beside what their card states.

    Attributes:
        tag: of the weights.
        params_sha256: of their parameter file.
        data: name of the file with the records.
        data_sha256: of it.
        evaluation: of every record.
        card: the metrics that the card states.
    """

    tag: str
    params_sha256: str
    data: str
    data_sha256: str
    evaluation: Evaluation
    card: Metrics

    @property
    def stated(self) -> Dict[str, float]:
        """The card's accuracies by name."""
        return {name: getattr(self.card, name) for name in _ACCURACIES if getattr(self.card, name) is not None}

    @property
    def differences(self) -> Dict[str, float]:
        """Measured less stated, by name."""
        return {name: getattr(self.evaluation, name) - value for name, value in self.stated.items()}

    @property
    def tolerance(self) -> float:
        """Up to which a difference is none: one record at least."""
        return max(_TOLERANCE[self.card.measured_by], 1.01 / self.evaluation.records)  # 1.01: they are floats

    @property
    def agrees(self) -> Optional[bool]:
        """Whether no difference is larger than the tolerance; None where nothing is stated."""
        return all(abs(value) <= self.tolerance for value in self.differences.values()) if self.stated else None

    @property
    def same_data(self) -> Optional[bool]:
        """Whether the records are those that the card's accuracies are of; None where it does not say."""
        return self.data_sha256 == self.card.data_sha256 if self.card.data_sha256 else None

    def as_dict(self) -> Dict[str, Any]:
        """As ``--json`` gives it and the store keeps it."""
        measured = {name: getattr(self.evaluation, name) for name in (*_ACCURACIES, 'loss', 'records')}
        return {
            'params_sha256': self.params_sha256, 'data': self.data, 'data_sha256': self.data_sha256,
            'metrics': measured, 'stated': self.stated, 'stated_by': self.card.measured_by,
            'differences': self.differences, 'tolerance': self.tolerance, 'agrees': self.agrees,
            'same_data': self.same_data, 'date': datetime.now(timezone.utc).isoformat(timespec='seconds'),
            'versions': versions(),
        }  # fmt: skip

    def check(self) -> None:
        """Raise a DataError where accuracies that this project measured are not those of the file."""
        if self.card.measured_by == 'publisher' or self.agrees is not False:
            return
        scores = (
            f'{name} {getattr(self.evaluation, name):.4f} instead of {was:.4f}' for name, was in self.stated.items()
        )
        other = ', on other records than the card' if self.same_data is False else ''
        raise DataError(f'{self.tag} scores {", ".join(scores)}{other}: more than {self.tolerance:.4f} from its card')


def verify(
    card: zoo.Published,
    path: Path,
    data: PathLike,
    ctx: List[mx.Context],
    batch_size: int,
    workers: int,
    progress: Callable[[Iterable, int], Iterable] = lambda batches, total: batches,
) -> Verdict:
    """Evaluate the parameter file of a card on every record of a file.

    Args:
        card: of the weights.
        path: of their parameter file.
        data: a ``.rec`` file.
        ctx: the contexts.
        batch_size: images a context.
        workers: threads that decode.
        progress: as of :func:`.evaluate`.

    Raises:
        DataError: a file is damaged, or its labels are not classes of the network.
    """
    records = RecordFile(data)
    loaded = load_network(card.network, ctx, str(path))
    records.check_labels(loaded.classes)
    evaluation = evaluate(loaded.net, records, loaded.preprocessing, ctx, batch_size, workers, progress)
    return Verdict(card.tag, loaded.params_sha256, Path(data).name, sha256(data), evaluation, card.metrics)


def versions() -> Dict[str, str]:
    """The versions of Python and of the packages that a score depends on."""
    from gluon_cbam import __version__

    said = environment()
    return {'gluon_cbam': __version__, 'python': said['python'], **said['packages']}
