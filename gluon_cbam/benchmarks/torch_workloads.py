"""Workloads of networks in PyTorch: in eager mode with contiguous or channels_last memory format, or compiled."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterator, Tuple

from gluon_cbam.common.errors import EnvironmentProblem, UsageError, closest
from gluon_cbam.common.image_size import square_side
from gluon_cbam.tasks import DEFAULT

from .context import BenchmarkContext
from .reference import noise, weights
from .workload import Workload

if TYPE_CHECKING:
    import torch

_CONTIGUOUS = 'torch'  # the engine; the others have the memory format channels_last, which is faster on CPUs
_COMPILED = 'torch compiled'


def _prepare(context: BenchmarkContext) -> Tuple[torch.nn.Module, torch.Tensor, torch.Tensor]:
    """The network, a batch of noise and its labels."""
    import torch

    if context.gpus is not None or (context.cpus or 1) > 1:
        raise UsageError('PyTorch is compared on the CPU, as one device: leave --gpus and --cpus out')
    torch.set_num_threads(context.threads)  # the default, the number of visible CPUs, ignores OMP_NUM_THREADS
    torch.set_float32_matmul_precision('highest')
    torch.manual_seed(0)
    layout = torch.contiguous_format if context.engine == _CONTIGUOUS else torch.channels_last
    net = network(context).to(memory_format=layout)
    batch = torch.from_numpy(noise(context)).to(memory_format=layout)
    return net, batch, torch.arange(context.batch) % min(context.classes, 10)


def network(context: BenchmarkContext) -> torch.nn.Module:
    """The PyTorch counterpart of the network of a context, with random weights.

    Args:
        context: description of the measurement.

    Raises:
        UsageError: there is none.
    """
    from . import torch_faces, torch_network

    if _is_for_faces(context):
        return torch_faces.network(context.network, square_side(context.image_size, context.network))
    return torch_network.network(context.network, context.classes)


def _is_for_faces(context: BenchmarkContext) -> bool:
    return context.network.startswith('modified_cbamnet')


def load_weights(net: torch.nn.Module, context: BenchmarkContext) -> bool:
    """Give a network the weights of a reference.

    Args:
        net: the PyTorch counterpart of the network of ``context``.
        context: description of the measurement.

    Returns:
        Whether there are some; without them, the network is left as it is.
    """
    import torch

    if _is_for_faces(context):
        from .torch_faces import torch_name

        arrays = {torch_name(name): value for name, value in (weights(context) or {}).items()}
    else:
        arrays = weights(context, 'official') or {}
    if arrays:
        counters = {name: value for name, value in net.state_dict().items() if name.endswith('num_batches_tracked')}
        net.load_state_dict({**counters, **{name: torch.from_numpy(value) for name, value in arrays.items()}})
    return bool(arrays)


def _cross_entropy(context: BenchmarkContext) -> torch.nn.Module:
    import torch

    return torch.nn.CrossEntropyLoss()


def _arcface(context: BenchmarkContext) -> torch.nn.Module:
    from .torch_faces import ArcFace

    return ArcFace(context.classes)


_LOSSES: Dict[str, Callable[[BenchmarkContext], torch.nn.Module]] = {DEFAULT: _cross_entropy, 'faces': _arcface}
"""Task -> function that makes the loss of network outputs and labels."""


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
    has_weights = load_weights(net, context)
    compute = torch.compile(net.eval()) if context.engine == _COMPILED else net.eval()
    with torch.inference_mode():
        if context.engine == _COMPILED:
            _compiled(lambda: compute(batch))
        outputs = (lambda: compute(batch).numpy()) if has_weights else None
        yield Workload(context.batch, lambda: compute(batch), _no_wait, 'cpu', _settings(), outputs)


def _compiled(call: Callable[[], object]) -> None:
    """Make the first call of compiled code.

    Raises:
        EnvironmentProblem: it cannot be compiled on this machine.
    """
    from torch._dynamo.exc import BackendCompilerFailed

    try:
        call()
    except BackendCompilerFailed as error:
        reason = str(error.inner_exception).strip().partition('\n')[0]
        raise EnvironmentProblem(f'torch.compile fails ({reason}): install a C++ compiler, such as g++') from error


def _settings() -> Dict[str, Any]:
    import torch

    return {'settings': {'float32_matmul_precision': torch.get_float32_matmul_precision()}}


@contextmanager
def train(context: BenchmarkContext) -> Iterator[Workload]:
    """Forward, backward and update by SGD with momentum, on a batch of noise.

    Args:
        context: description of the measurement; its task decides the loss.

    Yields:
        The workload.

    Raises:
        UsageError: there is no loss for the task here.
    """
    import torch

    task = context.task or DEFAULT
    if task not in _LOSSES:
        raise UsageError(f'PyTorch has no loss of the task {task} here: {closest(task, _LOSSES)}')
    net, batch, labels = _prepare(context)
    loss = _LOSSES[task](context)
    parameters = [*net.parameters(), *loss.parameters()]
    optimizer = torch.optim.SGD(parameters, lr=1e-3, momentum=0.9, weight_decay=1e-4)

    def compute() -> torch.Tensor:
        return loss(net(batch), labels)

    run = torch.compile(compute) if context.engine == _COMPILED else compute

    def step() -> None:
        optimizer.zero_grad()
        run().backward()
        optimizer.step()

    if context.engine == _COMPILED:
        _compiled(step)
    yield Workload(context.batch, step, _no_wait, 'cpu', _settings())
