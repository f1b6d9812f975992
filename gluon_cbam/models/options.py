"""Which options a network takes, read from its constructor, so that they are written down once."""

from __future__ import annotations

import inspect
from typing import List

_GLUON = ('prefix', 'params', 'classes', 'weight_initializer')


def option_names(*classes) -> List[str]:
    """The keyword arguments that the constructors of ``classes`` have a default for, but those that are not options."""
    return [
        parameter.name
        for cls in classes
        for parameter in inspect.signature(cls.__init__).parameters.values()
        if parameter.default is not inspect.Parameter.empty and parameter.name not in _GLUON
    ]
