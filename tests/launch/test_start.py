"""Signals to supervisors that are ending."""

import signal
import subprocess
import time

from gluon_cbam.launch.start import send, wait


def test_a_signal_to_a_supervisor_that_has_ended():
    """Neither before nor after the supervisor is reaped does the signal raise an error."""
    supervisor = subprocess.Popen(['true'], stdin=subprocess.PIPE, start_new_session=True)
    time.sleep(0.2)
    send(supervisor, signal.SIGTERM)
    assert wait(supervisor) == 0
    send(supervisor, signal.SIGTERM)
