"""The names of ImageNet-1k's classes (ILSVRC 2012)."""

from __future__ import annotations

from pathlib import Path
from typing import List

_FILE = Path(__file__).with_name('imagenet_classes.txt')


def imagenet_classes() -> List[str]:
    """The 1000 class names, in the order of the sorted WordNet ids: the order of the outputs of published networks.

    A name is the first lemma of the class's synset in WordNet, so that ``crane`` and ``maillot`` name two classes each.

    Returns:
        The lines of ``imagenet_classes.txt`` in this package.
    """
    return _FILE.read_text(encoding='utf-8').splitlines()
