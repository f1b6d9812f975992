"""The networks: one file a family, every variant a row of :mod:`.variants`, found by name through :mod:`.registry`.

Listing the networks does not import mxnet; building one does.
"""

from .registry import get_model, list_models, variant

__all__ = ['get_model', 'list_models', 'variant']
