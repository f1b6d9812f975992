"""Corrupted validation pictures, at five strengths each.

Noise, blur and contrast are those of CIFAR-10-C (Hendrycks and Dietterich, ICLR 2019), whose pictures have about the
size of these.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Callable, Dict, Iterable, Iterator, NamedTuple, Tuple

import cv2
import numpy as np

from gluon_cbam.data.decoding import decode
from gluon_cbam.data.records.recordio import RecordFile, RecordWriter

CLEAN = 'clean'


class Corruption(NamedTuple):
    """A corruption: its unit, its five strengths, and its function of (H, W, 3) in 0..1."""

    unit: str
    strengths: Tuple[float, ...]
    apply: Callable[[np.ndarray, float, np.random.Generator], np.ndarray]


def _noise(x: np.ndarray, strength: float, random: np.random.Generator) -> np.ndarray:
    return x + random.normal(0, strength, x.shape)


def _blur(x: np.ndarray, strength: float, random: np.random.Generator) -> np.ndarray:
    return cv2.GaussianBlur(x, (0, 0), strength)


def _contrast(x: np.ndarray, strength: float, random: np.random.Generator) -> np.ndarray:
    mean = x.mean(axis=(0, 1))
    return (x - mean) * strength + mean


def _shift(x: np.ndarray, strength: float, random: np.random.Generator) -> np.ndarray:
    """To a random side, by whole pixels; what comes in is black, as the background of the pictures."""
    rows, columns = ((0, 1), (0, -1), (1, 0), (-1, 0))[random.integers(4)]
    moved = np.float32([[1, 0, columns * strength], [0, 1, rows * strength]])
    return cv2.warpAffine(x, moved, x.shape[1::-1], flags=cv2.INTER_NEAREST)


CORRUPTIONS: Dict[str, Corruption] = {
    'noise': Corruption('standard deviation', (0.04, 0.06, 0.08, 0.09, 0.10), _noise),
    'blur': Corruption('standard deviation in pixels', (0.4, 0.6, 0.7, 0.8, 1.0), _blur),
    'contrast': Corruption('factor', (0.75, 0.5, 0.4, 0.3, 0.15), _contrast),
    'shift': Corruption('pixels', (1, 2, 3, 4, 5), _shift),
}
"""Name -> corruption."""


def write_corrupted(data: Path, folder: Path, pictures: int) -> Dict[str, Path]:
    """Write records of the first pictures of a file, clean and with each corruption at each strength.

    Args:
        data: the record file.
        folder: the folder of the new files; those that are there are kept.
        pictures: how many pictures are taken.

    Returns:
        Name and strength, such as ``noise-1``, and ``clean`` -> the record file.
    """
    records = RecordFile(data)
    files = {}
    for name, corrupt in _kinds():
        path = files[name] = folder / f'{name}.rec'
        if not path.with_suffix('.idx').exists():
            random = np.random.default_rng(0)
            images = (corrupt(decode(records.image(number), str(number)), random) for number in range(pictures))
            _write(path, images, records.labels[:pictures])
    return files


def _kinds() -> Iterator[Tuple[str, Callable[[np.ndarray, np.random.Generator], np.ndarray]]]:
    """Name of a file, and the function of (H, W, 3) uint8."""
    yield CLEAN, lambda pixels, random: pixels
    for name, corruption in CORRUPTIONS.items():
        for number, strength in enumerate(corruption.strengths, 1):
            yield f'{name}-{number}', partial(_corrupt, corruption, strength)


def _corrupt(corruption: Corruption, strength: float, pixels: np.ndarray, random: np.random.Generator) -> np.ndarray:
    changed = corruption.apply(pixels.astype(np.float32) / 255, strength, random)
    return (changed.clip(0, 1) * 255).round().astype(np.uint8)


def _write(path: Path, images: Iterable[np.ndarray], labels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with RecordWriter(path) as writer:
        for pixels, label in zip(images, labels):
            writer.write(float(label), cv2.imencode('.png', cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))[1].tobytes())


def validate(run: Path, files: Dict[str, Path]) -> Dict[str, Dict[str, float]]:
    """Validate a trained network on corrupted pictures, in one process of its own.

    Args:
        run: the run directory.
        files: result of :func:`write_corrupted`.

    Returns:
        Key of ``files`` -> ``top1`` and ``ece``.
    """
    command = [sys.executable, __file__, str(run), *(f'{name}={path}' for name, path in files.items())]
    environment = {**os.environ, 'OMP_NUM_THREADS': '1', 'PYTHONPATH': str(Path(__file__).parent.parent)}
    return json.loads(subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True).stdout)


def _main(run: str, *files: str) -> None:
    import gluon_cbam  # isort: skip: before mxnet
    import mxnet as mx

    from gluon_cbam.tasks.classification.evaluation import evaluate

    model = gluon_cbam.load(run)
    found = {}
    for name, path in (file.split('=', 1) for file in files):
        scored = evaluate(model.net, RecordFile(path), model.preprocessing, [mx.cpu()], 50, 1)
        found[name] = {'top1': scored.top1, 'ece': scored.ece}
    print(json.dumps(found))


if __name__ == '__main__':
    _main(*sys.argv[1:])
