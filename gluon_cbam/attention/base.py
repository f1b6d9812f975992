"""Attention where it runs: in passes of :mod:`gluon_cbam.ops`, with what a residual block does after it."""

from __future__ import annotations

from gluon_cbam.ops.backend import finish, form

from .blocks import CheckedBlock


class Attention(CheckedBlock):
    """A module that is defined by equations in MXNet's operators and runs in passes.

    Subclasses have ``define(F, x)``, the equations, which are exported, and ``refine(F, passes, x, shortcut, relu)``,
    the same followed by the addition of a shortcut and ReLU, where ``passes`` is what
    :func:`gluon_cbam.ops.backend.form` gives.
    """

    def hybrid_forward(self, F, x):
        passes = form_of(self, F, x)
        return self.define(F, x) if passes is None else self.refine(F, passes, x)


def form_of(attention, F, x):
    """As of :func:`gluon_cbam.ops.backend.form`; None where hooks wait for calls of the module or of its gates, which
    its definition makes and its passes do not."""
    blocks = attention, *attention._children.values()
    watched = any(block._forward_hooks or block._forward_pre_hooks for block in blocks)
    return None if watched else form(F, x)


def attend(F, attention, x, shortcut, relu: bool = False):
    """What a residual block does: ``attention(x) + shortcut``, then ReLU.

    Args:
        F: mxnet.ndarray or mxnet.symbol.
        attention: maps (N, C, H, W) to the same.
        x: the map, (N, C, H, W).
        shortcut: (N, C, H, W).
        relu: whether a ReLU follows.
    """
    passes = form_of(attention, F, x) if isinstance(attention, Attention) else None
    if passes is not None:
        return attention.refine(F, passes, x, shortcut, relu)
    return finish(F, attention(x), shortcut, relu)
