"""The instruction set of oneDNN inside MXNet, in real processes."""

import pytest
from benchmarks import instructions
from benchmarks.instructions import AVX2, onednn_instructions

from gluon_cbam.benchmarks.context import BenchmarkContext
from gluon_cbam.benchmarks.process import measure
from gluon_cbam.common.errors import EnvironmentProblem
from gluon_cbam.ops.status import operators_status


def test_onednn_is_held_to_avx2():
    assert onednn_instructions(AVX2) == 'Intel AVX2'
    assert onednn_instructions({}).startswith('Intel ')


def test_a_limit_that_has_no_effect_is_an_error(monkeypatch):
    monkeypatch.setattr(instructions, '_reported', lambda environment: 'Intel AVX-512')
    with pytest.raises(EnvironmentProblem, match='^DNNL_MAX_CPU_ISA=AVX2, but oneDNN uses Intel AVX-512$'):
        onednn_instructions(AVX2)
    assert onednn_instructions({}) == 'Intel AVX-512'


@pytest.mark.skipif(not operators_status().ok, reason='no compiled operators')
def test_a_process_says_the_instruction_set_of_our_operators():
    context = BenchmarkContext('predict', network='cbamnet_tiny', image_size=8, batch=1, environment=AVX2)
    plain = context.replace(environment={'CBAM_KERNELS': 'plain'})
    assert [result.facts['instructions'] for result in measure([context, plain], 1, 0)] == ['avx2', None]
