"""BatchNorm layers that keep their statistics."""

from __future__ import annotations

from mxnet.gluon import Block, nn

from gluon_cbam.attention.blocks import boolean


def keep_statistics(block: Block, use_global_stats: bool) -> None:
    """Let every BatchNorm in a block normalize by its running statistics in training, and not update them.

    This is what detectors that are trained with few images of a batch do with a pretrained backbone.

    Args:
        block: a block that was not called yet.
        use_global_stats: the option of this name; False changes nothing.

    Raises:
        ValueError: it is neither True nor False.
    """
    if not boolean('use_global_stats', use_global_stats):
        return
    for child in block._children.values():
        if isinstance(child, nn.BatchNorm):
            child._kwargs['use_global_stats'] = True
        keep_statistics(child, True)
