"""The program of a scheduler or server of ps-lite.

``import mxnet`` runs it in the role of ``DMLC_ROLE``, and exits when the workers have ended. It ignores the signals
that stop the workers, which need it to agree on the step at which they stop.
"""

import signal

if __name__ == '__main__':
    import gluon_cbam  # noqa: F401 (prepares the import of mxnet)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    import mxnet  # noqa: F401
