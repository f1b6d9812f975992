"""The program of a scheduler or server of ps-lite.

``import mxnet`` takes the role from ``DMLC_ROLE``, serves, and exits the process when the workers have ended. The
process ignores the signals that stop the workers: these agree through it on the step at which they stop.
"""

import signal

if __name__ == '__main__':
    import gluon_cbam  # noqa: F401 (prepares the import of mxnet)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    import mxnet  # noqa: F401
