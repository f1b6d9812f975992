"""What was renamed, from the source: the directives ``renamed-modules`` and ``renamed-names``."""

import ast
from importlib import import_module
from pathlib import Path

from api_reference import PACKAGE, modules, packages, source, table
from sphinx.util.docutils import SphinxDirective

from gluon_cbam.compat.renamed import RENAMED


class RenamedModules(SphinxDirective):
    """A row for each module in :data:`gluon_cbam.compat.renamed.RENAMED`."""

    def run(self):
        rows = [(f'`{old}`', f'{{py:mod}}`{new} <{PACKAGE}.{new}>`') for old, new in sorted(RENAMED.items())]
        return table(self, ('old', 'new'), rows)


class RenamedNames(SphinxDirective):
    """A row for each name that a module gives under an old name too."""

    def run(self):
        return table(self, ('old', 'new'), [(f'`{old}`', f'`{new}`') for old, new in sorted(renamed_names())])


def renamed_names():
    """Yields (old, new) dotted names: the literals in calls of ``renamed_attributes``, in the old modules."""
    before = {new: old for old, new in RENAMED.items()}
    for module in (name for package in packages() for name in (package, *modules(package))):
        tree = ast.parse(Path(source(module)).read_text(encoding='utf-8'))
        below = module.partition('.')[2]
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and getattr(node.func, 'id', '') == 'renamed_attributes':
                table = node.args[1]
                names = ast.literal_eval(table) if isinstance(table, ast.Dict) else named(module, table.id)
                yield from ((f'{before.get(below, below)}.{old}', new) for old, new in names.items())


def named(module, name):
    return getattr(import_module(module), name)


def setup(app):
    app.add_directive('renamed-modules', RenamedModules)
    app.add_directive('renamed-names', RenamedNames)
    return {'version': '1', 'parallel_read_safe': True}
