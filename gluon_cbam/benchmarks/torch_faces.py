"""Modified-CBAMnet in PyTorch and the loss of ArcFace, as baselines: the variants of basic units, with head E.

Written from the source's ``fcbamnet.py`` (bruinxiong/Modified-CBAMnet.mxnet), with the attribute names of our network,
so that the parameters map one to one: see ``torch_name``. Imports torch.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from gluon_cbam.common.errors import UsageError, closest
from gluon_cbam.models.variants import MODIFIED_CBAMNETS, ModifiedCBAMNetVariant

_EPS = 2e-5
_ENDINGS = {'gamma': 'weight', 'beta': 'bias', 'alpha': 'weight'}


def torch_name(name: str) -> str:
    """The name that one of our parameters has in this module.

    Args:
        name: our name, such as ``layer1.unit1.c3x3.bn.gamma``.
    """
    path, _, ending = name.rpartition('.')
    return f'{path}.{_ENDINGS.get(ending, ending)}'


def network(name: str, image_size: int) -> ModifiedCBAMNet:
    """Build the PyTorch counterpart of one of our networks.

    Args:
        name: our name, such as ``modified_cbamnet50``.
        image_size: height and width of the images, in pixels.

    Returns:
        The network, with random weights; its output is embeddings of 512 numbers.

    Raises:
        UsageError: this module does not have the network.
    """
    rows = {variant.name: variant for variant in MODIFIED_CBAMNETS if not variant.bottleneck}
    if name not in rows:
        raise UsageError(f'PyTorch has no {name} here: {closest(name, rows)}')
    return ModifiedCBAMNet(rows[name], image_size)


class _MLP(nn.Module):
    def __init__(self, channels: int, hidden: int):
        super().__init__()
        self.fc1 = nn.Conv2d(channels, hidden, 1, bias=False)
        self.act = nn.PReLU(hidden)
        self.fc2 = nn.Conv2d(hidden, channels, 1, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc2(self.act(self.fc1(x)))


class ModifiedCBAM(nn.Module):
    """The attention: a gate of the channels from two MLPs, then a gate of the positions from a 3 x 3 convolution.

    Args:
        channels: number of channels of the map.
    """

    def __init__(self, channels: int):
        super().__init__()
        self.avg, self.max = (_MLP(channels, channels // 16) for _ in range(2))
        self.spatial = nn.Conv2d(2, 1, 3, padding=1, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Apply the module to a batch."""
        pooled = self.avg(x.mean((2, 3), keepdim=True)) + self.max(x.amax((2, 3), keepdim=True))
        x = x * torch.sigmoid(pooled)
        return x * torch.sigmoid(self.spatial(torch.cat((x.mean(1, keepdim=True), x.amax(1, keepdim=True)), dim=1)))


def _step(before: int, norm: bool = False, act: bool = False, conv: tuple = ()) -> nn.Sequential:
    """BatchNorm, PReLU and a convolution of (channels, kernel, stride), each if it is there."""
    step = nn.Sequential()
    if norm:
        step.add_module('bn', nn.BatchNorm2d(before, eps=_EPS))
    if act:
        step.add_module('act', nn.PReLU(before))
    if conv:
        channels, kernel, stride = conv
        step.add_module('conv', nn.Conv2d(before, channels, kernel, stride, kernel // 2, bias=False))
    return step


class Unit(nn.Module):
    """A residual unit: BN - conv 3 x 3 - BN - PReLU - conv 3 x 3 with the stride - BN - attention.

    Args:
        before: number of channels of the input.
        channels: number of channels of the output.
        stride: stride of the unit.
        projected: whether the shortcut is a convolution and a BatchNorm.
    """

    def __init__(self, before: int, channels: int, stride: int, projected: bool):
        super().__init__()
        self.c3x3 = _step(before, norm=True)
        self.c3x3_a = _step(before, conv=(channels, 3, 1))
        self.c3x3_b = _step(channels, norm=True, act=True, conv=(channels, 3, stride))
        self.bn_c3x3_b = _step(channels, norm=True)
        self.attention = ModifiedCBAM(channels)
        self.conv1sc = _step(before, conv=(channels, 1, stride)) if projected else nn.Identity()
        self.bn_sc = _step(channels, norm=True) if projected else nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Apply the unit to a batch."""
        shortcut = self.bn_sc(self.conv1sc(x))
        x = self.bn_c3x3_b(self.c3x3_b(self.c3x3_a(self.c3x3(x))))
        return self.attention(x) + shortcut


class _Stem(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.conv = nn.Conv2d(3, channels, 3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(channels, eps=_EPS)
        self.act = nn.PReLU(channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.act(self.bn(self.conv(x)))


class _Head(nn.Module):
    """Head E: BatchNorm, dropout of 0.4, a dense layer, BatchNorm with gamma fixed at 1."""

    def __init__(self, channels: int, cells: int, embedding: int):
        super().__init__()
        self.bn1 = nn.BatchNorm2d(channels, eps=_EPS)
        self.pre_fc1 = nn.Linear(channels * cells, embedding)
        self.fc1 = nn.BatchNorm1d(embedding, eps=_EPS)
        self.fc1.weight.requires_grad_(False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = functional.dropout(self.bn1(x), 0.4, self.training)
        return self.fc1(self.pre_fc1(torch.flatten(x, 1)))


class ModifiedCBAMNet(nn.Module):
    """A Modified-CBAMnet: (N, 3, H, W), pixels in 0..255, to embeddings (N, embedding), not normalized.

    Args:
        variant: the row of our network.
        image_size: height and width of the images, in pixels.
        embedding: size of the output.
    """

    def __init__(self, variant: ModifiedCBAMNetVariant, image_size: int, embedding: int = 512):
        super().__init__()
        self.stem = _Stem(variant.widths[0])
        for stage, count in enumerate(variant.units, 1):
            before, channels = variant.widths[stage - 1 : stage + 1]
            layer = nn.Sequential()
            for index in range(count):
                inputs, stride = (channels, 1) if index else (before, 2)
                layer.add_module(f'unit{index + 1}', Unit(inputs, channels, stride, not index))
            self.add_module(f'layer{stage}', layer)
        self.head = _Head(variant.widths[-1], (-(-image_size // 16)) ** 2, embedding)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Compute the embeddings."""
        x = self.stem((x - 127.5) * 0.0078125)
        return self.head(self.layer4(self.layer3(self.layer2(self.layer1(x)))))


class ArcFace(nn.Module):
    """The loss of ArcFace (Deng et al., CVPR 2019, equation 3) on embeddings; returns the mean over the batch.

    Args:
        classes: number of identities.
        embedding: size of the embeddings.
        scale: factor of the cosines.
        margin: margin in radians.
    """

    def __init__(self, classes: int, embedding: int = 512, scale: float = 64.0, margin: float = 0.5):
        super().__init__()
        self.weight = nn.Parameter(0.01 * torch.randn(classes, embedding))
        self.scale, self.margin = scale, margin

    def forward(self, embeddings: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Compute the loss of a batch."""
        cosines = functional.linear(functional.normalize(embeddings), functional.normalize(self.weight))
        targets = cosines.gather(1, labels[:, None]).clamp(-1 + 1e-7, 1 - 1e-7)
        logits = cosines.scatter(1, labels[:, None], torch.cos(torch.acos(targets) + self.margin))
        return functional.cross_entropy(self.scale * logits, labels)
