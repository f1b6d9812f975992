"""Peak memory."""

import json

import pytest

# in a process of its own: one that has run for long has memory at hand that is resident already
CODE = """
import json
import numpy as np
from gluon_cbam.benchmarks import memory

try:
    with open('/proc/self/clear_refs', 'w') as file:
        file.write('5')
    can_forget = True
except OSError:
    can_forget = False
before = memory.resident()
block = np.ones(60 << 20, np.uint8)
with_block = memory.peak()
del block
after = memory.peak()
memory.forget_peak()
print(json.dumps([can_forget, with_block - before, after - before, memory.peak() - before]))
"""


def test_the_peak_is_that_since_it_was_forgotten(python):
    can_forget, with_block, after, forgotten = json.loads(python(CODE).stdout)
    if not can_forget:
        pytest.skip('this system does not let the peak be forgotten')
    assert with_block > 0.9 * (60 << 20)
    assert after > 50e6, 'a peak stays'
    assert forgotten < 20e6
