"""Selecting attention modules of a network by stage."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Dict, Hashable, List, Optional, Sequence

from gluon_cbam.common.errors import UsageError, closest

if TYPE_CHECKING:
    from .attention import AttentionMaps

ALL = 'all'


def select_stages(found: Sequence[AttentionMaps], stages: Optional[Sequence[str]] = None) -> List[AttentionMaps]:
    """Select the attention modules to show.

    Args:
        found: every attention module of a network, in the order of their computation.
        stages: each is a path, which selects the last module in it (``layer3``, ``layer3.0``,
            ``units.26.attention``), a pattern of such paths (``layer?.0``), which selects one for each that matches, or
            ``all``. Default: the last module at each stride, which is that of the last block of each stage.

    Returns:
        The selected modules, in the order of ``found``.

    Raises:
        UsageError: no path matches.
    """
    if stages is None:
        wanted = set({_resolution(maps): maps.path for maps in found}.values())
    else:
        last = _last_of_path(found)
        wanted = {last[stage] for name in stages for stage in _matching(name, last, found)}
    return [maps for maps in found if maps.path in wanted]


def _resolution(maps: AttentionMaps) -> Hashable:
    """What is the same for the modules of a stage: the stride, or where that is not known the number of channels."""
    if maps.grid:
        return maps.grid.stride
    return None if maps.channel is None else maps.channel.shape


def _last_of_path(found: Sequence[AttentionMaps]) -> Dict[str, str]:
    """Every path that contains attention -> the path of the last module in it."""
    last: Dict[str, str] = {}
    for maps in found:
        parts = maps.path.split('.')
        for length in range(1, len(parts) + 1):
            last['.'.join(parts[:length])] = maps.path
    return last


def _matching(name: str, last: Dict[str, str], found: Sequence[AttentionMaps]) -> List[str]:
    """The paths that a name or a pattern matches."""
    if name == ALL:
        return [maps.path for maps in found]
    matches = [stage for stage in last if fnmatchcase(stage, name)]
    if not matches:
        raise UsageError(f'unknown stage {name!r}: {closest(name, last)}')
    return matches
