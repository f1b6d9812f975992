"""The process of a check: ``python -m gpu_checks.child FUNCTION SETTING FINDINGS SECONDS``."""

import faulthandler
import importlib
import sys
from pathlib import Path

import gluon_cbam  # noqa: F401 (prepares the import of mxnet)

from .recorder import Recorder, Skipped
from .setting import Setting

_BEFORE_THE_END = 3  # seconds


def main(function: str, setting: str, findings: str, seconds: str) -> None:
    """Run a check; when its time is nearly up, the stacks of all threads go to standard error."""
    faulthandler.enable()
    faulthandler.dump_traceback_later(max(float(seconds) - _BEFORE_THE_END, 0.5))
    record = Recorder(Path(findings))
    module, _, name = function.partition(':')
    try:
        getattr(importlib.import_module(module), name)(Setting.from_json(setting), record)
    except Skipped as reason:
        record.skipped(str(reason))
    except Exception:
        record.failure(name)


if __name__ == '__main__':
    main(*sys.argv[1:])
