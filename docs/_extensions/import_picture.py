"""The imports between packages, from ``scripts/import_graph.py``: the picture, the table and the figures.

* The picture ``docs/develop/imports.png`` is drawn before the pages are read.
* ``{import-figures}`now``` in a page becomes packages, levels, imports and cycles.
* The directive ``import-table`` becomes a row for each package: its level, what it holds, and what it imports.
"""

import sys
from pathlib import Path

from api_reference import summary, table
from docutils import nodes
from sphinx.util.docutils import SphinxDirective, SphinxRole

ROOT = Path(__file__).resolve().parents[2]
PICTURE = ROOT / 'docs' / 'develop' / 'imports.png'
sys.path.append(str(ROOT / 'scripts'))
import import_graph  # noqa: E402


def graph():
    return import_graph.package_graph(import_graph.module_graph(ROOT))


def short(name):
    return name.partition('.')[2] or name


class Figures(SphinxRole):
    """Packages, levels, imports and cycles of this tree."""

    def run(self):
        packages, levels, imports, cycles = import_graph.figures(graph())
        text = f'{packages} packages on {levels} levels, {imports} imports, {cycles or "no"} cycles'
        return [nodes.Text(text)], []


class Table(SphinxDirective):
    """A row for each package, the highest first."""

    def run(self):
        imports = graph()
        level = import_graph.levels(imports)
        rows = [
            (level[name], f'{{py:mod}}`{short(name)} <{name}>`', summary(name), ', '.join(sorted(map(short, targets))))
            for name, targets in sorted(imports.items(), key=lambda item: (-level[item[0]], item[0]))
        ]
        return table(self, ('level', 'package', 'holds', 'imports'), rows)


def draw(app):
    import_graph.draw(graph(), PICTURE)


def setup(app):
    app.add_role('import-figures', Figures())
    app.add_directive('import-table', Table)
    app.connect('builder-inited', draw)
    return {'version': '1', 'parallel_read_safe': True}
