"""Which options a network takes, read from its constructor, so that they are written down once."""

from __future__ import annotations

import inspect
from typing import Any, List, Mapping, Optional

from gluon_cbam.attention import ATTENTIONS
from gluon_cbam.common.errors import closest

_GLUON = ('prefix', 'params', 'classes', 'weight_initializer')


def option_names(*classes) -> List[str]:
    """The keyword arguments that the constructors of ``classes`` have a default for, but those that are not options."""
    return [
        parameter.name
        for cls in classes
        for parameter in inspect.signature(cls.__init__).parameters.values()
        if parameter.default is not inspect.Parameter.empty and parameter.name not in _GLUON
    ]


def attention_classes(name: Optional[str]) -> list:
    """The class of a network's attention, for :func:`option_names`; none without attention."""
    return [ATTENTIONS[name]] if name else []


def check_attention(name: Optional[str], options: Mapping[str, Any]) -> None:
    """Check the attention that a network is built with.

    Raises:
        ValueError: it is neither None nor a key of :data:`gluon_cbam.attention.ATTENTIONS`, or it is None and there are
            options for it.
    """
    if name not in (None, *ATTENTIONS):
        raise ValueError(f'unknown attention {name!r}: {closest(name, ATTENTIONS)}')
    if options and name is None:
        raise ValueError(f'a network without attention has no option {sorted(options)[0]!r}')
