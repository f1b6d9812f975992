"""The directive ``renamed-modules``: a table of the old names of modules and their new ones."""

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective

from gluon_cbam.compat.renamed import RENAMED


class RenamedModules(SphinxDirective):
    """A row for each module in :data:`gluon_cbam.compat.renamed.RENAMED`."""

    def run(self):
        lines = ['.. list-table::', '   :header-rows: 1', '   :widths: auto', '', '   * - old', '     - new']
        for old, new in sorted(RENAMED.items()):
            lines += [f'   * - ``gluon_cbam.{old}``', f'     - :py:mod:`gluon_cbam.{new}`']
        node = nodes.container()
        from sphinx.util.nodes import nested_parse_with_titles

        nested_parse_with_titles(self.state, StringList(lines, source='renamed-modules'), node)
        return node.children


def setup(app):
    app.add_directive('renamed-modules', RenamedModules)
    return {'version': '1', 'parallel_read_safe': True}
