"""Counting against numbers worked out by hand."""

from mxnet.gluon import nn

from gluon_cbam import CBAM
from gluon_cbam.models.complexity import complexity


def test_by_hand():
    net = nn.HybridSequential()
    net.add(nn.Conv2D(8, 3, strides=2, padding=1, groups=2, in_channels=4), nn.Dense(5, in_units=8 * 4 * 4))
    counted = complexity(net, (3, 4, 8, 8))
    assert counted.parameters == (8 * 2 * 9 + 8) + (5 * 128 + 5)
    assert counted.macs == (8 * 4 * 4) * 2 * 9 + 5 * 128


def test_the_shared_mlp_counts_once_a_pool():
    for pools, times in ((('avg',), 1), (('avg', 'max'), 2)):
        net = nn.HybridSequential()
        net.add(nn.Conv2D(16, 1, in_channels=3, use_bias=False), CBAM(16, 4, pool_types=pools))
        counted = complexity(net, (1, 3, 6, 6))
        assert counted.attention_macs == times * 2 * (16 * 4) + 6 * 6 * 2 * 49
        assert counted.macs == counted.attention_macs + 6 * 6 * 3 * 16
        assert counted.attention_parameters == 2 * 64 + 4 + 16 + 2 * 49 + 2
