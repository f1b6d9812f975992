"""The names and WordNet ids of ImageNet-1k's classes (ILSVRC 2012)."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import Dict, FrozenSet, List

_FILE = Path(__file__).with_name('imagenet_classes.txt')
_SYNSETS = Path(__file__).with_name('imagenet_synsets.txt')
_SYNSET = re.compile(r'(n\d{8})\b')


def imagenet_classes() -> List[str]:
    """The 1000 class names, in the order of the sorted WordNet ids: the order of the outputs of published networks.

    A name is the first lemma of the class's synset in WordNet, so that ``crane`` and ``maillot`` name two classes each.

    Returns:
        The lines of ``imagenet_classes.txt`` in this package.
    """
    return _FILE.read_text(encoding='utf-8').splitlines()


def imagenet_synsets() -> List[str]:
    """The 1000 WordNet ids of the classes, such as ``n01440764``, sorted. ImageNet's class folders have these names.

    Returns:
        The lines of ``imagenet_synsets.txt`` in this package.
    """
    return _SYNSETS.read_text(encoding='ascii').splitlines()


def words_of(name: str) -> str:
    """The name in :func:`imagenet_classes` of a WordNet id, such as ``tench``; any other text as it is."""
    return _names_of_synsets().get(name, name) if _SYNSET.fullmatch(name) else name


def is_imagenet_class(name: str) -> bool:
    """Whether a text names a class of ImageNet-1k, see :func:`same_imagenet_class`."""
    return bool(_lemma(name))


def same_imagenet_class(name: str, other: str) -> bool:
    """Whether two texts name the same class of ImageNet-1k.

    Args:
        name: a WordNet id (``n01440764``), perhaps with a description (``n01440764 tench``); a class name of
            :func:`imagenet_classes`; or all lemmas of the class, the name first (``tench, Tinca tinca``).
        other: likewise.

    Returns:
        Whether they do; False for texts that name no class of ImageNet-1k.
    """
    synsets = _synset(name), _synset(other)
    if all(synsets):
        return synsets[0] == synsets[1]
    return bool(_lemma(name)) and _lemma(name) == _lemma(other)


def _synset(name: str) -> str:
    """The WordNet id that a text begins with; empty if there is none."""
    match = _SYNSET.match(name)
    return match.group(1) if match else ''


def _lemma(name: str) -> str:
    """The name in :func:`imagenet_classes` of the class that a text names; empty if it names none."""
    lemma = name.partition(',')[0]
    return _names_of_synsets().get(_synset(name)) or (lemma if lemma in _known_names() else '')


@lru_cache(maxsize=None)
def _names_of_synsets() -> Dict[str, str]:
    return dict(zip(imagenet_synsets(), imagenet_classes()))


@lru_cache(maxsize=None)
def _known_names() -> FrozenSet[str]:
    return frozenset(imagenet_classes())
