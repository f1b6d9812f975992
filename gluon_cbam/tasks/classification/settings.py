"""The settings of classification."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

from gluon_cbam.common.errors import UsageError
from gluon_cbam.common.settings import flag, setting
from gluon_cbam.tasks.image_augmentation import ImageAugmentationSettings
from gluon_cbam.tasks.protocols import Settings, Taught

LOSSES = ('cross_entropy', 'bce')
"""The losses, the keys of a table that imports mxnet: :data:`gluon_cbam.tasks.classification.criteria.CRITERIA`."""

TEMPERATURES = (0.01, 1000)
"""Bounds of the temperature of distillation, whose square multiplies a difference of logarithms in float32."""


@dataclass
class ClassLossSettings(ImageAugmentationSettings):
    """The settings of the loss that tasks of classes on whole images share."""

    class_weights: Optional[str] = setting(
        None, "weights of the classes in the loss: a file with one in a line, or balanced, by each class's images",
        section='Loss of classes',
    )  # fmt: skip
    teacher: Optional[str] = setting(
        None, 'network whose outputs are learned, too: a run folder, a tag, a parameter file or an exported file'
    )
    teacher_network: Optional[str] = setting(None, 'name of the network of --teacher  [of its weights]')
    distill_alpha: float = setting(
        0.5, "share of the teacher's loss, from 0 to 1", kind=float, minimum=0, immutable=True
    )
    distill_temperature: float = setting(
        4.0, 'temperature at which the probabilities of teacher and student are compared', kind=float, minimum=0,
        immutable=True,
    )  # fmt: skip


@dataclass
class ClassificationSettings(ClassLossSettings):
    """The settings that classification has besides those of every task."""

    loss: str = setting(
        'cross_entropy', 'loss of the logits; bce is binary cross-entropy, the mean over the classes', choices=LOSSES,
        immutable=True, section='Classification',
    )  # fmt: skip
    bce_target_threshold: Optional[float] = setting(
        None, 'target of --loss bce above which a class counts as 1, and as 0 otherwise  [targets as they are]',
        kind=float, minimum=0, exclusive_maximum=1, immutable=True,
    )  # fmt: skip


def check_loss(settings: Settings) -> None:
    """Check the settings of the loss.

    Raises:
        UsageError: a setting is of another loss, or out of its bounds.
    """
    check_distillation(settings)
    threshold = settings['bce_target_threshold']
    if threshold is not None and settings['loss'] != 'bce':
        raise UsageError(f'--bce-target-threshold {threshold:g} is of --loss bce, got {settings["loss"]}: leave it out')


def check_distillation(settings: Settings) -> None:
    """Check the settings of the teacher.

    Raises:
        UsageError: a setting is given without a teacher, or out of its bounds.
    """
    entries = ClassLossSettings.__dataclass_fields__
    for name in ('teacher_network', 'distill_alpha', 'distill_temperature') if settings['teacher'] is None else ():
        if settings[name] != entries[name].default:
            raise UsageError(f'{flag(name)} {settings[name]} is of --teacher: give one, or leave it out')
    if settings['distill_alpha'] > 1:
        raise UsageError(f'--distill-alpha must be from 0 to 1, got {settings["distill_alpha"]:g}')
    least, most = TEMPERATURES
    if not least <= settings['distill_temperature'] <= most:
        raise UsageError(
            f'--distill-temperature must be from {least:g} to {most:g}, got {settings["distill_temperature"]:g}'
        )


def taught_by(settings: Settings) -> Optional[Taught]:
    """The network of the setting ``teacher``; None for none."""
    return Taught(settings['teacher'], settings['teacher_network']) if settings['teacher'] else None
