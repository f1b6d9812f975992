"""Which attentions of a network are shown."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Dict, List, Optional, Sequence

from gluon_cbam.common.errors import UsageError, closest

from .attention import AttentionMaps

ALL = 'all'


def choose(found: Sequence[AttentionMaps], stages: Optional[Sequence[str]] = None) -> List[AttentionMaps]:
    """The attentions to show.

    Args:
        found: every attention of a network, in the order of their computation.
        stages: each a path, for the last attention in it (``layer3``, ``layer3.0``, ``units.26.attention``), a pattern
            of such paths (``layer?.0``) for each that matches, or ``all``. Default the last attention of each stride,
            which is that of the last block of each stage.

    Raises:
        UsageError: there is no such stage.
    """
    if stages is None:
        last = {maps.grid.stride if maps.grid else maps.channel.shape: maps.path for maps in found}
        wanted = set(last.values())
    else:
        ends = _ends(found)
        wanted = {ends[stage] for name in stages for stage in _matching(name, ends, found)}
    return [maps for maps in found if maps.path in wanted]


def _ends(found) -> Dict[str, str]:
    """Every path that holds attention -> the path of the last one in it."""
    ends = {}
    for maps in found:
        parts = maps.path.split('.')
        for length in range(1, len(parts) + 1):
            ends['.'.join(parts[:length])] = maps.path
    return ends


def _matching(name: str, ends, found) -> List[str]:
    if name == ALL:
        return [maps.path for maps in found]
    matches = [stage for stage in ends if fnmatchcase(stage, name)]
    if not matches:
        raise UsageError(f'unknown stage {name!r}: {closest(name, ends)}')
    return matches
