"""Signals to guards that are ending."""

import signal
import subprocess
import time

from gluon_cbam.launch.start import send, wait


def test_a_signal_to_a_guard_that_has_ended():
    """It may come between the guard's end and its reaping, and after: neither is an error."""
    guard = subprocess.Popen(['true'], stdin=subprocess.PIPE, start_new_session=True)
    time.sleep(0.2)
    send(guard, signal.SIGTERM)
    assert wait(guard) == 0
    send(guard, signal.SIGTERM)
