"""Networks in eight-bit integers, on the CPU.

MXNet quantizes the convolutions; the attention between them runs on the operators of :mod:`gluon_cbam.ops`, which
take the integers that a convolution gives and give the next one its own, so that no map is turned into floats and back.

``quantizing.py`` is the way from a network to its quantized form, ``graph.py`` what it does to the graph.
"""

from .quantizing import quantize

__all__ = ['quantize']
