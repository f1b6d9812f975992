"""The comparisons of operators on every instruction set that the processor has, each in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gluon_cbam.ops import status

ROOT = Path(__file__).parents[2]
COMPARISONS = (
    'tests/ops/test_operators.py',
    'tests/ops/test_gate_convolution.py',
    'tests/quantization/test_operators.py',
)
ONEDNN = {'baseline': 'SSE41', 'avx2': 'AVX2', 'avx512': 'ALL'}
"""Instruction set -> limit of oneDNN's, with which maps come in the layouts that such a processor has."""


@pytest.mark.parametrize('instructions', status.INSTRUCTIONS)
def test_kernels_equal_numpy(instructions, operators):
    """The best instruction set is that of the comparisons in this process."""
    order = status.INSTRUCTIONS.index
    if order(instructions) >= order(operators.instructions):
        pytest.skip(f'the other tests run with {operators.instructions}')
    variables = {status.LIMIT: instructions, 'DNNL_MAX_CPU_ISA': ONEDNN[instructions], 'OMP_NUM_THREADS': '2'}
    process = subprocess.run(
        [sys.executable, '-m', 'pytest', '-q', '-x', '-p', 'no:cacheprovider', *COMPARISONS],
        cwd=ROOT, env={**os.environ, **variables}, capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert process.returncode == 0, process.stdout[-3000:]
    assert ' passed' in process.stdout
    assert 'skipped' not in process.stdout
