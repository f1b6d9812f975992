"""What attention, PReLU and convolutions run on: operators of our own on the CPU, compiled from native/, or MXNet's in
an order that suits it.

A network's definition is written in MXNet's operators, and that is what is exported and what other programs see. Where
it runs, an attention module asks :func:`.forms.form` how its passes over the map are best done here:

* compiled: the operators of native/, for arrays on the CPU with the mxnet that they were compiled for;
* graph: MXNet's operators, chosen for speed, in hybridized networks on the CPU without the former;
* None: as the definition says; on GPUs, in exports, and with ``CBAM_KERNELS=plain`` in the environment.

``CBAM_KERNELS=graph`` leaves the compiled operators out. :mod:`.status` says what is used and why, :mod:`.building`
compiles, :mod:`.library` loads, :mod:`.tracing` tells running from exporting. Blocks of a single operator, as those of
:mod:`.activation`, ask :func:`.forms.compiled`.

Ties of maxima over channels: the compiled operators and the graph send the gradient to the first of equal values, as
the official code's ``torch.max`` does; MXNet's ``max(axis=1)``, which the definitions have, to each of them, in full.
"""
