"""Uses of embeddings of faces: embed image sets, verify pairs, identify, compare and search.

It may import everything below it, from ``inference`` and ``tasks`` on, and ``export`` in functions only. Modules import
mxnet in functions only: exported files are used without it.
"""
