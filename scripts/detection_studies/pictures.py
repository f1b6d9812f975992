"""The pictures of the study of detection, and how detectors are trained on them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Dict

from study import call


@dataclass(frozen=True)
class Pictures:
    """A data set of the study.

    Attributes:
        title: its name in the tables.
        classes: number of classes.
        epochs: passes over the training data.
        settings: the flags of ``cbam train`` that are not the same for all data sets.
        drawn: whether every seed has pictures of its own.
        starts_from: the key of the data set whose weights training starts from; empty for random weights.
    """

    title: str
    classes: int
    epochs: int
    settings: Dict[str, object]
    drawn: bool = False
    starts_from: str = ''

    def write(self, folder: Path, seed: int, images: int) -> Path:
        """Write the records of a seed, if they are not there.

        Args:
            folder: the folder of this data set.
            seed: the seed of drawn pictures.
            images: the number of drawn pictures for training; a tenth as many are for validation.

        Returns:
            The folder of ``train.rec`` and ``val.rec``.
        """
        data = folder / (f'seed{seed}-{images}-images' if self.drawn else 'data')
        if (data / 'classes.txt').exists():
            return data
        if self.drawn:
            numbers = ['--train', str(images), '--val', str(-(-images // 10)), '--classes', str(self.classes)]
            call('data', 'shapes', str(data), '--boxes', '--force', '--size', '64', *numbers, '--seed', str(seed))
        else:
            call('data', 'trees', str(data), '--force')
        return data


PICTURES = {
    'scenes': Pictures(
        'Drawn scenes', 3, 3, {'image-size': 64, 'batch-size': 16, 'augment': 'flip', 'lr': 0.004}, drawn=True
    ),
    'trees': Pictures(
        'Trees', 1, 20, {'image-size': 96, 'batch-size': 8, 'augment': 'flip', 'lr': 0.002}, starts_from='scenes'
    ),
}
"""Key in files -> data set, in the order of training."""
