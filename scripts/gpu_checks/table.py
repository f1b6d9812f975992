"""The checks, a row each. Only the standard library is imported."""

from typing import NamedTuple, Sequence


class Check(NamedTuple):
    """A check.

    Attributes:
        name: its name, for ``--only``.
        function: ``module:function`` that runs it.
        seconds: after which it is ended.
        subject: what it compares, in one line of the report.
        environment: further variables of its process.
    """

    name: str
    function: str
    seconds: int
    subject: str
    environment: Sequence[tuple] = ()


# TF32 has a mantissa of 10 bits: without it, comparisons with the CPU have the tolerances of float32
_FLOAT32 = (('NVIDIA_TF32_OVERRIDE', '0'),)
# cuDNN's search for the fastest algorithm takes seconds for each layer and may choose another one in the next process
_UNTUNED = (*_FLOAT32, ('MXNET_CUDNN_AUTOTUNE_DEFAULT', '0'))
_SAME_EACH_TIME = (*_UNTUNED, ('MXNET_ENFORCE_DETERMINISM', '1'))

CHECKS = (
    Check('suite', 'gpu_checks.suite:run', 80, 'tests of the suite with the GPU as default device', _UNTUNED),
    Check('operators', 'gpu_checks.operators:run', 40, 'attention modules and PReLU, with gradients', _UNTUNED),
    Check('networks', 'gpu_checks.networks:run', 150, 'every network forward and backward', _UNTUNED),
    Check('float16', 'gpu_checks.float16:run', 60, 'training in float16, and after overflows', _UNTUNED),
    Check('devices', 'gpu_checks.several:run', 60, 'two GPUs against one with the whole batch', _UNTUNED),
    Check('resume', 'gpu_checks.resume:run', 70, 'a killed run, resumed, against an unbroken one', _SAME_EACH_TIME),
    Check('memory', 'gpu_checks.memory:run', 50, 'peak, growth over steps, and the end without enough of it'),
    Check('speed', 'gpu_checks.speed:float32', 45, 'images per second in float32 (TF32 where the GPU has it)'),
    Check('speed16', 'gpu_checks.speed:float16', 45, 'images per second in float16'),
)
