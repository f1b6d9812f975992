"""The imports between the packages of a checkout: packages, levels, imports, cycles.

    scripts/import_graph.py [FOLDER] [--depth 2] [--output imports.png]

A package is a folder of ``gluon_cbam`` (with ``--depth 2``, its folders too) or a module at its top. Its level is one
more than the highest level of the packages that it imports. Imports in functions and under ``TYPE_CHECKING`` count too.
"""

from __future__ import annotations

import argparse
import ast
from collections import defaultdict
from pathlib import Path
from typing import Dict, Iterator, List, Set, Tuple

PACKAGE = 'gluon_cbam'
Graph = Dict[str, Set[str]]


def module_files(root: Path) -> Dict[str, Path]:
    """The modules of ``gluon_cbam`` in a checkout, and of ``zoo`` next to it.

    Args:
        root: the folder of the checkout.

    Returns:
        Dotted name -> file.
    """
    files = {}
    for folder, prefix in ((root / PACKAGE, PACKAGE), (root / 'zoo', _zoo_name(root))):
        for path in sorted(folder.rglob('*.py')):
            parts = path.relative_to(folder).with_suffix('').parts
            if folder.name == PACKAGE and parts[0] == 'zoo':  # the link to the folder next to it
                continue
            name = '.'.join([prefix, *(part for part in parts if part != '__init__')])
            files[name] = path
    return files


def _zoo_name(root: Path) -> str:
    return f'{PACKAGE}.zoo' if (root / PACKAGE / 'zoo').exists() else 'zoo'


def imported_names(name: str, path: Path, at_import: bool = False) -> Iterator[str]:
    """The imports of a module, as absolute dotted names; ``from a import b`` gives ``a.b``.

    Args:
        name: dotted name of the module.
        path: path of its file.
        at_import: leave out imports in functions and under ``TYPE_CHECKING``, which do not run when it is imported.
    """
    package = name if path.name == '__init__.py' else name.rpartition('.')[0]
    tree = ast.parse(path.read_text(encoding='utf-8'))
    for node in _run_at_import(tree) if at_import else ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package.split('.')[: len(package.split('.')) - node.level + 1] if node.level else []
            source = '.'.join([*base, *([node.module] if node.module else [])])
            yield from (f'{source}.{alias.name}' for alias in node.names)


def _run_at_import(node: ast.AST) -> Iterator[ast.AST]:
    """The syntax nodes of a module that run when it is imported."""
    for child in ast.iter_child_nodes(node):
        in_function = isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
        if not in_function and not (isinstance(child, ast.If) and 'TYPE_CHECKING' in ast.dump(child.test)):
            yield child
            yield from _run_at_import(child)


def module_graph(root: Path) -> Graph:
    """The imports between the modules of this project.

    Args:
        root: the folder of the checkout.

    Returns:
        Dotted name -> the names that it imports. A name imported from a package is an import of its ``__init__``.
    """
    files = module_files(root)
    graph: Graph = {name: set() for name in files}
    for name, path in files.items():
        for imported in imported_names(name, path):
            target = imported
            while target and target not in files:
                target = target.rpartition('.')[0]
            if target and target != name:
                graph[name].add(target)
    return graph


def package_graph(modules: Graph, depth: int = 1) -> Graph:
    """The imports between packages.

    Args:
        modules: result of :func:`module_graph`.
        depth: folders below ``gluon_cbam`` that are distinguished.
    """
    packages = {name.rpartition('.')[0] for name in modules} | {PACKAGE}
    graph: Graph = defaultdict(set)
    for name, targets in modules.items():
        own = _package_of(name, packages | set(modules), depth)
        graph[own] |= {_package_of(target, packages | set(modules), depth) for target in targets} - {own}
    return dict(graph)


def _package_of(name: str, packages: Set[str], depth: int) -> str:
    parts = name.split('.')
    top = 1 if parts[0] == PACKAGE else 0
    return '.'.join(parts[: top + depth]) if len(parts) > top else name


def cycles(graph: Graph) -> List[List[str]]:
    """The import cycles: groups of nodes that import each other, directly or indirectly.

    Args:
        graph: node -> the nodes it imports.
    """
    reached = {node: _reached_from(node, graph) for node in graph}
    found: List[List[str]] = []
    for node in sorted(graph):
        group = sorted({other for other in reached[node] if node in reached.get(other, ())})
        if group and group not in found:
            found.append(group)
    return found


def _reached_from(node: str, graph: Graph) -> Set[str]:
    reached: Set[str] = set()
    waiting = list(graph.get(node, ()))
    while waiting:
        other = waiting.pop()
        if other not in reached:
            reached.add(other)
            waiting.extend(graph.get(other, ()))
    return reached


def levels(graph: Graph) -> Dict[str, int]:
    """The level of each node: 0 for one that imports no other; nodes of a cycle have the same level.

    Args:
        graph: node -> the nodes it imports.
    """
    group_of = {node: tuple(group) for group in cycles(graph) for node in group}
    level: Dict[str, int] = {}

    def level_of(node: str) -> int:
        if node not in level:
            group = group_of.get(node, (node,))
            outside = {target for member in group for target in graph.get(member, ())} - set(group)
            value = 1 + max((level_of(target) for target in outside), default=-1)
            level.update(dict.fromkeys(group, value))
        return level[node]

    for node in graph:
        level_of(node)
    return level


def figures(graph: Graph) -> Tuple[int, int, int, int]:
    """The numbers of packages, levels, imports and cycles of a graph."""
    return len(graph), 1 + max(levels(graph).values()), sum(map(len, graph.values())), len(cycles(graph))


def draw(graph: Graph, output: Path) -> None:
    """Draw a graph with a row for each level, the lowest at the bottom.

    Args:
        graph: node -> the nodes it imports.
        output: path of the image, such as ``imports.png``.
    """
    import matplotlib

    matplotlib.use('Agg')
    import matplotlib.pyplot as plt

    rows: Dict[int, List[str]] = defaultdict(list)
    for node, level in sorted(levels(graph).items()):
        rows[level].append(node)
    widest = max(map(len, rows.values()))
    places = {
        node: ((index + 0.5) * widest / len(nodes), level)
        for level, nodes in rows.items()
        for index, node in enumerate(nodes)
    }
    figure, axes = plt.subplots(figsize=(2.1 * widest + 1, 0.95 * len(rows) + 0.5))
    for node, targets in graph.items():
        for target in targets:
            upward = places[target][1] >= places[node][1]
            style = dict(arrowstyle='-|>', color='#c0392b' if upward else '#9db2bf', lw=1.4 if upward else 0.8)
            axes.annotate('', places[target], places[node], arrowprops={**style, 'shrinkA': 14, 'shrinkB': 14})
    for node, (x, y) in places.items():
        label = node[len(PACKAGE) + 1 :] if node.startswith(f'{PACKAGE}.') else node
        box = dict(boxstyle='round,pad=0.4', facecolor='#eef4f8', edgecolor='#34607a')
        axes.text(x, y, label, ha='center', va='center', fontsize=10, bbox=box)
    axes.set_xlim(0, widest)
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.axis('off')
    figure.tight_layout()
    figure.savefig(str(output), dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('folder', nargs='?', type=Path, default=Path(__file__).resolve().parent.parent)
    parser.add_argument('--depth', type=int, default=1, help='folders below gluon_cbam that are distinguished')
    parser.add_argument('--output', type=Path, help='image file to draw the graph to')
    options = parser.parse_args()
    modules = module_graph(options.folder)
    graph = package_graph(modules, options.depth)
    level = levels(graph)
    for node in sorted(graph, key=lambda node: (-level[node], node)):
        print(f'{level[node]:2}  {node:<40} {", ".join(sorted(graph[node]))}')
    packages, level_count, imports, cycle_count = figures(graph)
    print(f'{packages} packages on {level_count} levels, {imports} imports, {cycle_count} cycles', end='; ')
    print(f'{len(modules)} modules, {len(cycles(modules))} cycles among them')
    for group in [*cycles(graph), *cycles(modules)]:
        print('cycle:', ', '.join(group))
    if options.output:
        draw(graph, options.output)


if __name__ == '__main__':
    main()
