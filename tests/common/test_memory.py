"""Peak memory."""

import json

import pytest

from gluon_cbam.common import memory

# in a separate process: one that has run for long has free memory that is already resident
CODE = """
import json
import numpy as np
from gluon_cbam.common import memory

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
memory.reset_peak()
print(json.dumps([can_forget, with_block - before, after - before, memory.peak() - before]))
"""


def test_peak_after_reset(python):
    can_forget, with_block, after, forgotten = json.loads(python(CODE).stdout)
    if not can_forget:
        pytest.skip('this system does not let the peak be forgotten')
    assert with_block > 0.9 * (60 << 20)
    assert after > 50e6, 'a peak stays'
    assert forgotten < 20e6


# a process of 300 MB starts a small one, which prints its peak and the peak of getrusage
LARGE = """
import subprocess, sys
import numpy as np
block = np.ones(300 << 20, np.uint8)
small = "import resource; from gluon_cbam.common.memory import peak; "
small += "print([peak(), resource.getrusage(0).ru_maxrss * 1024])"
subprocess.run([sys.executable, '-c', small], check=True)
"""


def test_a_process_does_not_inherit_the_peak_of_its_parent(python):
    peak, inherited = json.loads(python(LARGE).stdout)
    assert 5e6 < peak < 100e6
    assert inherited > 300e6, 'why ru_maxrss is not used'


def test_a_system_that_does_not_report_memory(tmp_path, monkeypatch):
    for text in (None, 'Name:\tpython\n'):
        monkeypatch.setattr(memory, '_STATUS', tmp_path / 'status')
        if text is not None:
            memory._STATUS.write_text(text)
        assert memory.resident() == 0
        assert memory.peak() >= 20e6
