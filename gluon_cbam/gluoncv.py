"""Importing this module lets ``gluoncv.model_zoo.get_model`` find the networks of this package.

A name that GluonCV has itself stays GluonCV's. GluonCV comes with the extra: ``pip install 'gluon_cbam[cpu,gluoncv]'``.
"""

from __future__ import annotations

from functools import partial
from typing import List

from gluon_cbam.common.packages import needed
from gluon_cbam.models import list_models
from gluon_cbam.pretrained.model import get_model


def register() -> List[str]:
    """Add our networks to GluonCV's table. Doing it again changes nothing.

    Returns:
        The names that GluonCV's ``get_model`` finds here.
    """
    table = needed('gluoncv.model_zoo.model_zoo')._models
    for name in list_models():
        table.setdefault(name.lower(), partial(get_model, name))
    return [name for name in list_models() if isinstance(table[name.lower()], partial)]


register()
