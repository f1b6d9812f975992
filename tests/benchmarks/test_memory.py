"""Peak memory."""

import numpy as np
import pytest

from gluon_cbam.benchmarks import memory


def test_the_peak_is_that_since_it_was_forgotten():
    try:
        with open('/proc/self/clear_refs', 'w') as file:
            file.write('5')
    except OSError:
        pytest.skip('this system does not let the peak be forgotten')
    before = memory.resident()
    block = np.ones(60 << 20, np.uint8)
    assert memory.peak() > before + 0.9 * block.nbytes
    del block
    assert memory.peak() > before + 50e6, 'a peak stays'
    memory.forget_peak()
    assert memory.peak() < before + 20e6
