"""Grad-CAM of several networks on the same images, as in figure 4 of the CBAM paper."""

from __future__ import annotations

import os
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

from gluon_cbam.common.errors import UsageError
from gluon_cbam.common.files import PathLike
from gluon_cbam.data.sources.images import image_file

from .explaining import Explanation, Unreadable, Wanted, class_index, explain
from .figures.comparison_figure import draw

PICTURE = 'comparison.png'


class Entry(NamedTuple):
    """A network of a comparison, with weights.

    Attributes:
        network: its name.
        weights: a parameter file, a run folder or a tag; None for the default weights of the name.
    """

    network: str
    weights: Optional[str]

    @property
    def is_file(self) -> bool:
        """Whether the weights are a path."""
        return bool(self.weights) and (
            os.path.exists(self.weights) or os.sep in self.weights or self.weights.endswith('.params')
        )

    @property
    def label(self) -> str:
        """For people."""
        return f'{self.network} ({Path(self.weights).name})' if self.weights else self.network


class Cell(NamedTuple):
    """A network on an image.

    Attributes:
        seen: what it saw and where the evidence is.
        probability: of the target class.
    """

    seen: Explanation
    probability: float

    @property
    def evidence(self):
        """That for the target class, which was asked for last."""
        return self.seen.evidence[-1]


@dataclass(frozen=True)
class Comparison:
    """What :func:`compare` found.

    Attributes:
        entries: the networks.
        cells: of each image a row, of each network a column.
        unreadable: images that are left out.
        picture: path of the picture; None if no image could be read.
    """

    entries: List[Entry]
    cells: List[List[Cell]]
    unreadable: List[Unreadable]
    picture: Optional[str]

    def as_dict(self) -> Dict[str, Any]:
        """As JSON holds it."""
        images = []
        for row in self.cells:
            networks = [
                {
                    'network': entry.network,
                    'weights': entry.weights,
                    'probability': cell.probability,
                    'predicted': cell.seen.top[0].label,
                }
                for entry, cell in zip(self.entries, row)
            ]
            evidence = row[0].evidence
            about = {'file': row[0].seen.file, 'class': evidence.index, 'label': evidence.label}
            images.append({**about, 'networks': networks})
        unreadable = [bad._asdict() for bad in self.unreadable]
        return {'picture': self.picture, 'images': images, 'unreadable': unreadable}

    def as_text(self) -> str:
        """A line for each image, with the probability that each network gives its class."""
        lines = []
        for row in self.cells:
            said = ', '.join(f'{entry.label} {cell.probability:.4f}' for entry, cell in zip(self.entries, row))
            lines.append(f'{row[0].seen.file}: {row[0].evidence.label}: {said}')
        return '\n'.join([*lines, *([f'picture: {self.picture}'] if self.picture else [])])


def compare(
    networks: Sequence[str],
    load: Callable[[Entry], Tuple[Any, Any]],
    files: Sequence[str],
    target: Optional[str],
    wanted: Wanted,
    folder: PathLike,
    batch_size: int,
    pool: Executor,
) -> Comparison:
    """Draw Grad-CAM of several networks for one class an image, with the probability that they give it.

    Args:
        networks: each ``NAME``, ``NAME=FILE`` or ``NAME=TAG``.
        load: gives an entry's :class:`LoadedNetwork` and the context to use. One is in memory at a time.
        files: paths of images.
        target: a class, or one for each image separated by commas; default what the first network predicts.
        wanted: method and layer.
        folder: where ``comparison.png`` is written; made if it does not exist.
        batch_size: images at a time.
        pool: threads that decode.

    Raises:
        UsageError: the networks have different numbers of classes, or no classes.
    """
    entries = [Entry(name, weights or None) for name, _, weights in (text.partition('=') for text in networks)]
    columns: List[List] = []
    targets = first = None
    for entry in entries:
        network, ctx = load(entry)
        first = first or network
        if hasattr(network.net, 'outputs') or network.classes != first.classes:
            raise UsageError(f'{entry.label} has not the {first.classes} classes of {entries[0].label}')
        if targets is None and target is not None:
            targets = _targets(target, network, len(files))
        asked = replace(wanted, targets=targets)
        columns.append(list(explain(network, map(image_file, files), asked, ctx, batch_size, pool)))
        if targets is None:
            targets = [0 if isinstance(item, Unreadable) else item.top[0].index for item in columns[0]]
    rows = [row for row in zip(*columns) if not any(isinstance(item, Unreadable) for item in row)]
    unreadable = [item for item in columns[0] if isinstance(item, Unreadable)]
    cells = [[Cell(item, item.evidence[-1].probability) for item in row] for row in rows]
    path = _path(folder, files) if cells else None
    if cells:
        draw(entries, cells, path, wanted.method)
    return Comparison(entries, cells, unreadable, path and str(path))


def _targets(text: str, network, count: int) -> List[int]:
    """The class of each image."""
    try:
        return [class_index(text, network)] * count
    except UsageError:
        parts = [part.strip() for part in text.split(',')]
        if len(parts) != count or count == 1:
            raise
    return [class_index(part, network) for part in parts]


def _path(folder: PathLike, files: Sequence[str]) -> Path:
    Path(folder).mkdir(parents=True, exist_ok=True)
    path = Path(folder) / PICTURE
    if path.resolve() in {Path(file).resolve() for file in files}:
        raise UsageError(f'{path} is one of the images: choose another --output')
    return path
