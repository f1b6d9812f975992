"""The parts of docs/benchmark.md, which ``scripts/benchmark`` measures and writes.

``rows`` has the rows of the table, and ``ratios`` the ways to measure them. ``growth`` and ``profiling`` measure the
other parts, and ``document`` writes all of them. ``bare_loops`` and ``epoch`` are workloads for this table only.
"""

import os
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parents[1]
IMPORTABLE = {'PYTHONPATH': os.pathsep.join((str(SCRIPTS), str(SCRIPTS.parent)))}
"""Environment variables of a process that imports this package and gluon_cbam of the checkout."""
