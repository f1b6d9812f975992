"""PyTorch, eager, with the official networks: as they come, or in the memory format channels_last."""

from __future__ import annotations

from contextlib import contextmanager
from typing import Iterator

import torch

from gluon_cbam.common.errors import UsageError

from .context import Spec
from .timing import Subject
from .torch_network import network


def _prepared(spec: Spec):
    """Network, batch and labels."""
    if spec.gpus is not None or (spec.cpus or 1) > 1:
        raise UsageError('PyTorch is compared on the CPU, as one device: leave --gpus and --cpus out')
    torch.set_num_threads(spec.threads)  # it goes by the CPUs that it sees, whatever OMP_NUM_THREADS says elsewhere
    torch.manual_seed(0)
    layout = torch.channels_last if spec.engine.endswith('channels_last') else torch.contiguous_format
    net = network(spec.network, spec.classes).to(memory_format=layout)
    batch = torch.randn(spec.batch, 3, spec.image_size, spec.image_size).to(memory_format=layout)
    return net, batch, torch.arange(spec.batch) % min(spec.classes, 10)


def _no_wait() -> None:
    """On the CPU, calls return when they are done."""


@contextmanager
def predicting(spec: Spec) -> Iterator[Subject]:
    """The network alone on a batch that is ready."""
    net, batch, _ = _prepared(spec)
    net.eval()
    with torch.inference_mode():
        yield Subject(spec.batch, lambda: net(batch), _no_wait, 'cpu')


@contextmanager
def training(spec: Spec) -> Iterator[Subject]:
    """Forward, backward and update by SGD with momentum on floats that are ready."""
    net, batch, labels = _prepared(spec)
    loss = torch.nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-3, momentum=0.9, weight_decay=1e-4)

    def step() -> None:
        optimizer.zero_grad()
        loss(net(batch), labels).backward()
        optimizer.step()

    yield Subject(spec.batch, step, _no_wait, 'cpu')
