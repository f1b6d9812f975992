"""Networks with weights, sessions that run them or exported files, and predictions for images, with their formats.

It may import ``pretrained``, ``tasks``, ``data``, ``models``, ``weights``, ``compat`` and ``common``; not ``export``.
"""

from gluon_cbam.compat.renamed import renamed_attributes

__getattr__ = renamed_attributes(
    __name__,
    {'LoadedNetwork': 'inference.network.LoadedNetwork', 'load_network': 'inference.network.load_network'},
)
