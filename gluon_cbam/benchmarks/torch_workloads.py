"""Workloads of the official networks in PyTorch, in eager mode, with contiguous or channels_last memory format."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Iterator, Tuple

from gluon_cbam.common.errors import UsageError

from .context import BenchmarkContext
from .workload import Workload

if TYPE_CHECKING:
    import torch


def _prepare(context: BenchmarkContext) -> Tuple[torch.nn.Module, torch.Tensor, torch.Tensor]:
    """The network, a batch of noise and its labels."""
    import torch

    from .torch_network import network

    if context.gpus is not None or (context.cpus or 1) > 1:
        raise UsageError('PyTorch is compared on the CPU, as one device: leave --gpus and --cpus out')
    torch.set_num_threads(context.threads)  # the default, the number of visible CPUs, ignores OMP_NUM_THREADS
    torch.manual_seed(0)
    layout = torch.channels_last if context.engine.endswith('channels_last') else torch.contiguous_format
    net = network(context.network, context.classes).to(memory_format=layout)
    batch = torch.randn(context.batch, 3, context.image_size, context.image_size).to(memory_format=layout)
    return net, batch, torch.arange(context.batch) % min(context.classes, 10)


def _no_wait() -> None:
    """Does nothing: on the CPU, calls are synchronous."""


@contextmanager
def predict(context: BenchmarkContext) -> Iterator[Workload]:
    """Inference on a batch of noise.

    Args:
        context: description of the measurement.

    Yields:
        The workload.
    """
    import torch

    net, batch, _ = _prepare(context)
    net.eval()
    with torch.inference_mode():
        yield Workload(context.batch, lambda: net(batch), _no_wait, 'cpu')


@contextmanager
def train(context: BenchmarkContext) -> Iterator[Workload]:
    """Forward, backward and update by SGD with momentum, on a batch of noise.

    Args:
        context: description of the measurement.

    Yields:
        The workload.
    """
    import torch

    net, batch, labels = _prepare(context)
    loss = torch.nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-3, momentum=0.9, weight_decay=1e-4)

    def step() -> None:
        optimizer.zero_grad()
        loss(net(batch), labels).backward()
        optimizer.step()

    yield Workload(context.batch, step, _no_wait, 'cpu')
