"""The picture of the imports between packages, and its figures, from ``scripts/import_graph.py``.

``{import-figures}`` in a page becomes one sentence: packages, levels, imports and circles.
"""

import sys
from pathlib import Path

from docutils import nodes
from sphinx.util.docutils import SphinxRole

ROOT = Path(__file__).resolve().parents[2]
PICTURE = ROOT / 'docs' / 'develop' / 'imports.png'
sys.path.append(str(ROOT / 'scripts'))
import import_graph  # noqa: E402


def graph():
    return import_graph.package_graph(import_graph.module_graph(ROOT))


class Figures(SphinxRole):
    """``{import-figures}`now``` -> packages, levels, imports and circles of this tree."""

    def run(self):
        packages, levels, imports, circles = import_graph.figures(graph())
        text = f'{packages} packages on {levels} levels, {imports} imports, {circles or "no"} circles'
        return [nodes.Text(text)], []


def draw(app):
    import_graph.draw(graph(), PICTURE)


def setup(app):
    app.add_role('import-figures', Figures())
    app.connect('builder-inited', draw)
    return {'version': '1', 'parallel_read_safe': True}
