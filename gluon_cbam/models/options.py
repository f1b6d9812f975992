"""The options of a model, read from the signature of its constructor, so that they are stated once."""

from __future__ import annotations

import inspect
from typing import Any, List, Mapping, Optional

from gluon_cbam.attention import ATTENTIONS
from gluon_cbam.common.errors import closest

_GLUON = ('prefix', 'params', 'classes', 'weight_initializer')


def option_names(*classes: type) -> List[str]:
    """List the keyword arguments of constructors that are options.

    Args:
        *classes: the classes of the network and of its attention.

    Returns:
        The names of the arguments with a default, without those that Gluon or the builder sets.
    """
    return [
        parameter.name
        for cls in classes
        for parameter in inspect.signature(cls).parameters.values()
        if parameter.default is not inspect.Parameter.empty and parameter.name not in _GLUON
    ]


def attention_classes(name: Optional[str]) -> List[type]:
    """Look up the class of a network's attention, for :func:`option_names`.

    Args:
        name: a key of :data:`gluon_cbam.attention.ATTENTIONS`, or None.

    Returns:
        The class in a list; an empty list without attention.
    """
    return [ATTENTIONS[name]] if name else []


def check_attention(name: Optional[str], options: Mapping[str, Any]) -> None:
    """Check the attention that a network is built with.

    Args:
        name: the name of the attention, or None.
        options: the options of the attention, by name.

    Raises:
        ValueError: it is neither None nor a key of :data:`gluon_cbam.attention.ATTENTIONS`, or it is None and there are
            options for it.
    """
    if name is None:
        if options:
            raise ValueError(f'a network without attention has no option {sorted(options)[0]!r}')
    elif name not in ATTENTIONS:
        raise ValueError(f'unknown attention {name!r}: {closest(name, ATTENTIONS)}')
