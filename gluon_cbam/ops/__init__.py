"""Operations of attention modules, PReLU and convolutions, with several implementations, one of them compiled.

An attention module is written once, as equations in the methods of an ops backend: poolings of a map, gates, scaling by
deferred gates, with the shortcut and ReLU. :func:`.backend.select_backend` chooses one of three backends for each call:

* native: the operators compiled from native/, for arrays and hybridized blocks on the CPU with the mxnet that they were
  compiled for;
* graph: MXNet's operators, chosen for speed, in hybridized blocks on the CPU without the compiled ones;
* reference: MXNet's operators in the order of the equations, in exports, on GPUs, and with ``CBAM_KERNELS=plain`` in
  the environment. ``CBAM_KERNELS=graph`` disables only the compiled operators.

:mod:`.build` compiles the operators, :mod:`.library` loads them, and :mod:`.status` reports whether they are used.
:mod:`.tracing` separates the graph that a block runs from the graph that it exports. :mod:`.activation` and
:mod:`.convolution` are blocks of a single operator.

It may import ``common`` only. Its ``__init__`` imports nothing, so that ``cbam doctor`` reads the status without
mxnet.
"""
