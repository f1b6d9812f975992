"""The data sets of the ablation study, and how networks are trained on them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Dict, Tuple

from study import call


@dataclass(frozen=True)
class Pictures:
    """A data set with ten classes.

    Attributes:
        title: what the pictures are, for the page.
        make: the words of ``cbam data`` that write the records, before the folder.
        options: those after the folder.
        records: training and validation pictures.
        epochs: passes over the training pictures.
        seeds: runs of each network.
        settings: the flags of ``cbam train``.
        limits: what the study cannot show, for the page.
    """

    title: str
    make: Tuple[str, ...]
    options: Tuple[str, ...]
    records: Tuple[int, int]
    epochs: int
    seeds: int
    settings: Dict[str, object]
    limits: str

    def write(self, folder: Path) -> Path:
        """Write ``train.rec`` and ``val.rec`` to a folder, if they are not there, and return it."""
        if not (folder / 'classes.txt').exists():
            call('data', *self.make, str(folder), '--force', *self.options)
        return folder


PICTURES = {
    'digits': Pictures(
        'handwritten digits in clutter, 32 x 32 pixels (`cbam data digits --clutter`)',
        ('digits',),
        ('--clutter', '3000'),
        (3000, 750),
        5,
        3,
        {
            'image-size': 32, 'crop-ratio': 1, 'augment': 'none', 'batch-size': 64, 'lr': 0.02, 'lr-mode': 'cosine',
            'warmup-epochs': 0.5, 'wd': 5e-4,
        },
        'The pictures are composed of 1,797 scans of digits.',
    ),
    'fashion': Pictures(
        'Fashion-MNIST, 28 x 28 pixels, gray (`cbam data fashion`)',
        ('fashion',),
        (),
        (60000, 10000),
        1,
        5,
        {
            'image-size': 28, 'crop-ratio': 1, 'augment': 'cifar', 'batch-size': 64, 'optimizer': 'nag', 'lr': 0.05,
            'lr-mode': 'cosine', 'warmup-epochs': 0.2, 'wd': 5e-4, 'data-nthreads': 1,
        },
        'The networks see every picture once, and are far from what longer training reaches.',
    ),
}  # fmt: skip
"""Key -> data set."""
