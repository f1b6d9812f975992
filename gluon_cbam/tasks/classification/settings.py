"""The settings of classification."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

from gluon_cbam.common.errors import UsageError
from gluon_cbam.common.settings import setting
from gluon_cbam.tasks.image_augmentation import ImageAugmentationSettings
from gluon_cbam.tasks.protocols import Settings

LOSSES = ('cross_entropy', 'bce')


@dataclass
class ClassificationSettings(ImageAugmentationSettings):
    """The settings that classification has besides those of every task."""

    loss: str = setting(
        'cross_entropy', 'loss of the logits; bce is binary cross-entropy, the mean over the classes', choices=LOSSES,
        immutable=True, section='Classification',
    )  # fmt: skip
    bce_target_threshold: Optional[float] = setting(
        None, 'target of --loss bce above which a class counts as 1, and as 0 otherwise  [targets as they are]',
        kind=float, minimum=0, exclusive_maximum=1, immutable=True,
    )  # fmt: skip
    class_weights: Optional[str] = setting(
        None, "weights of the classes in the loss: a file with one in a line, or balanced, by each class's images",
        path=True,
    )  # fmt: skip


def check_loss(settings: Settings) -> None:
    """Check the settings of the loss.

    Raises:
        UsageError: a setting is of another loss.
    """
    threshold = settings['bce_target_threshold']
    if threshold is not None and settings['loss'] != 'bce':
        raise UsageError(f'--bce-target-threshold {threshold:g} is of --loss bce, got {settings["loss"]}: leave it out')
