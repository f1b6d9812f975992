"""Checks for scripts/gpu_check with known outcomes."""

import os
import subprocess
import time


def right(setting, record):
    record.figure('nothing', 0.0, 0.0)


def wrong(setting, record):
    """The comparison of networks, with a CPU whose result is a thousandth off in one output."""
    from gpu_checks import comparison, networks

    outcome = comparison.outcome

    def perturbed(block, images, device):
        found = outcome(block, images, device)
        if not block._active:
            found['output'][0, 0] += 2e-3 * abs(found['output']).max()
        return found

    comparison.outcome, networks._QUICK = perturbed, ('cbamnet_tiny',)
    networks.run(setting, record)


def hangs(setting, record):
    child = subprocess.Popen(['sleep', '600'])
    record.figure('process', child.pid)
    time.sleep(600)


def dies(setting, record):
    record.figure('before', 1.0)
    os.abort()
