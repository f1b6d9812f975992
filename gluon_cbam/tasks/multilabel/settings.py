"""The settings of multi-label classification."""

from __future__ import annotations

from dataclasses import dataclass

from gluon_cbam.common.settings import setting
from gluon_cbam.tasks.classification.settings import ClassLossSettings


@dataclass
class MultilabelSettings(ClassLossSettings):
    """The settings that multi-label classification has besides those of every task."""

    best_label_figure: str = setting(
        'map', 'figure by which parameters are kept as the best', choices=('map', 'micro_f1', 'macro_f1'),
        section='Multi-label classification',
    )  # fmt: skip
