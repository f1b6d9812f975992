"""The official ResNet and CBAM-ResNet in PyTorch as baselines: 18 to 152 layers, with the ImageNet stem.

Implemented from the paper (Woo et al., ECCV 2018, section 3) and the shapes of the published weights. The parameters
have the official names, so that they can be converted to ours. Imports torch.
"""

from __future__ import annotations

from typing import Sequence

import torch
from torch import nn
from torch.nn import functional

from gluon_cbam.common.errors import UsageError

# depth -> whether the blocks are bottlenecks, number of blocks in each stage
_DEPTHS = {
    18: (False, (2, 2, 2, 2)),
    34: (False, (3, 4, 6, 3)),
    50: (True, (3, 4, 6, 3)),
    101: (True, (3, 4, 23, 3)),
    152: (True, (3, 8, 36, 3)),
}


def network(name: str, classes: int) -> nn.Module:
    """Build the PyTorch counterpart of one of our networks.

    Args:
        name: our name, such as ``cbam_resnet50``.
        classes: number of outputs of the last layer.

    Returns:
        The network, with random weights.

    Raises:
        UsageError: this module does not have the network.
    """
    kind, _, depth = name.rpartition('resnet')
    if kind not in ('', 'cbam_') or not depth.isdigit() or int(depth) not in _DEPTHS:
        raise UsageError(f'PyTorch has no {name} here: compare [cbam_]resnet18 to 152')
    return ResNet(*_DEPTHS[int(depth)], classes, bool(kind))


class ChannelGate(nn.Module):
    """Channel attention: average and maximum over the map, a shared MLP, their sum, sigmoid (equation 2).

    Args:
        channels: number of channels of the map.
        reduction: ratio of ``channels`` to the hidden units of the MLP.
    """

    def __init__(self, channels: int, reduction: int = 16):
        super().__init__()
        hidden = channels // reduction
        self.mlp = nn.Sequential(nn.Flatten(), nn.Linear(channels, hidden), nn.ReLU(), nn.Linear(hidden, channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Apply the module to a batch."""
        pooled = self.mlp(functional.adaptive_avg_pool2d(x, 1)) + self.mlp(functional.adaptive_max_pool2d(x, 1))
        return x * torch.sigmoid(pooled)[:, :, None, None]


class SpatialGate(nn.Module):
    """Spatial attention: maximum and mean over the channels, 7 x 7 convolution, BatchNorm, sigmoid (equation 3)."""

    def __init__(self) -> None:
        super().__init__()
        self.spatial = nn.Module()
        self.spatial.conv = nn.Conv2d(2, 1, 7, padding=3, bias=False)
        self.spatial.bn = nn.BatchNorm2d(1, momentum=0.01)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Apply the module to a batch."""
        pooled = torch.cat((x.max(1, keepdim=True)[0], x.mean(1, keepdim=True)), dim=1)
        return x * torch.sigmoid(self.spatial.bn(self.spatial.conv(pooled)))


class CBAM(nn.Sequential):
    """Channel attention, then spatial attention (equation 1).

    Args:
        channels: number of channels of the map.
    """

    def __init__(self, channels: int):
        super().__init__()
        self.add_module('ChannelGate', ChannelGate(channels))
        self.add_module('SpatialGate', SpatialGate())


class Block(nn.Module):
    """A residual block: basic, or a bottleneck with its stride in the 3 x 3 convolution.

    Args:
        in_channels: number of channels of the input.
        width: number of channels of the inner convolutions.
        stride: stride of the block.
        bottleneck: whether it is a bottleneck block, with 4 times ``width`` output channels.
        cbam: whether CBAM is applied to the residual branch.
    """

    def __init__(self, in_channels: int, width: int, stride: int, bottleneck: bool, cbam: bool):
        super().__init__()
        channels = width * (4 if bottleneck else 1)
        layers = (
            ((1, 1, width), (3, stride, width), (1, 1, channels)) if bottleneck else ((3, stride, width), (3, 1, width))
        )
        before = in_channels
        for number, (kernel, step, after) in enumerate(layers, 1):
            self.add_module(f'conv{number}', nn.Conv2d(before, after, kernel, step, kernel // 2, bias=False))
            self.add_module(f'bn{number}', nn.BatchNorm2d(after))
            before = after
        self._layers = len(layers)
        self.cbam = CBAM(channels) if cbam else nn.Identity()
        self.downsample = nn.Identity()
        if stride != 1 or in_channels != channels:
            self.downsample = nn.Sequential(
                nn.Conv2d(in_channels, channels, 1, stride, bias=False), nn.BatchNorm2d(channels)
            )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Apply the module to a batch."""
        shortcut = self.downsample(x)
        for number in range(1, self._layers + 1):
            x = getattr(self, f'bn{number}')(getattr(self, f'conv{number}')(x))
            if number < self._layers:
                x = functional.relu(x, inplace=True)
        return functional.relu(self.cbam(x) + shortcut, inplace=True)


class ResNet(nn.Module):
    """ResNet with the ImageNet stem: (N, 3, H, W) to logits (N, classes).

    Args:
        bottleneck: whether the blocks are bottlenecks.
        blocks: number of blocks in each stage.
        classes: number of outputs.
        cbam: whether the blocks have CBAM.
    """

    def __init__(self, bottleneck: bool, blocks: Sequence[int], classes: int, cbam: bool):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        channels = 64
        for stage, count in enumerate(blocks):
            layer = nn.Sequential()
            for index in range(count):
                width, stride = 64 * 2**stage, 2 if stage and not index else 1
                layer.append(Block(channels, width, stride, bottleneck, cbam))
                channels = width * (4 if bottleneck else 1)
            self.add_module(f'layer{stage + 1}', layer)
        self.fc = nn.Linear(channels, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Apply the module to a batch."""
        x = functional.max_pool2d(functional.relu(self.bn1(self.conv1(x)), inplace=True), 3, 2, 1)
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(torch.flatten(functional.adaptive_avg_pool2d(x, 1), 1))
