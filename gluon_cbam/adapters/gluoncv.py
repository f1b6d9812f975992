"""Register the models with GluonCV, so that ``gluoncv.model_zoo.get_model`` builds them.

The extra installs GluonCV: ``pip install 'gluon_cbam[gluoncv]'``.
"""

from __future__ import annotations

from functools import partial
from typing import List

from gluon_cbam.common.packages import import_optional
from gluon_cbam.models import list_models
from gluon_cbam.pretrained.model import get_model


def register() -> List[str]:
    """Add the models to GluonCV's model zoo. A second call changes nothing.

    Returns:
        The names for which ``gluoncv.model_zoo.get_model`` now builds a model of this package; a name that GluonCV
        itself has keeps its meaning.

    Raises:
        DependencyError: GluonCV is not installed.
    """
    table = import_optional('gluoncv.model_zoo.model_zoo')._models
    for name in list_models():
        table.setdefault(name.lower(), partial(get_model, name))
    return [name for name in list_models() if isinstance(table[name.lower()], partial)]
