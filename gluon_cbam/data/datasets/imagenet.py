"""The names of ImageNet-1k's classes (ILSVRC 2012)."""

from __future__ import annotations

from pathlib import Path
from typing import List

_FILE = Path(__file__).with_name('imagenet_classes.txt')


def imagenet_classes() -> List[str]:
    """The 1000 class names, in the order of the sorted WordNet ids, which published networks have for their outputs.

    A name is the first lemma of the class's synset in WordNet, so that ``crane`` and ``maillot`` name two classes each.

    Returns:
        The names, as ``imagenet_classes.txt`` next to this module lists them.
    """
    return _FILE.read_text(encoding='utf-8').splitlines()
