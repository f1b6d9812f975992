"""The parts of docs/benchmark.md, which ``scripts/benchmark`` measures and writes.

``rows`` has the rows of the table and ``ratios`` the ways to measure them; ``growth`` and ``profiling`` are its other
parts, ``document`` writes them. ``bare_loops`` and ``epoch`` are workloads that only the table needs.
"""

import os
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parents[1]
IMPORTABLE = {'PYTHONPATH': os.pathsep.join((str(SCRIPTS), str(SCRIPTS.parent)))}
"""The environment of a process that imports this package and the checkout's gluon_cbam."""
