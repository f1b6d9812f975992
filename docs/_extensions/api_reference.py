"""Pages of the API reference, a page for each package, written from the packages that are there.

A page has the docstring of the package, the public names that it gives (its ``__all__``), and every module in it.
"""

import ast
import inspect
import pkgutil
import re
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.addnodes import pending_xref
from sphinx.errors import ExtensionError
from sphinx.ext.autodoc import DataDocumenter
from sphinx.ext.napoleon import GoogleDocstring
from sphinx.util.nodes import make_refnode, nested_parse_with_titles

PACKAGE = 'gluon_cbam'
ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / 'docs' / 'reference' / 'api'
PACKAGES = set()
_LONGEST = 72  # characters of a constant's value that is shown
# what runs when it is imported, or is imported where something else than this package is installed: described only
PROGRAMS = {
    'gluon_cbam.adapters.insightface_config': 'imported by insightface',
    'gluon_cbam.benchmarks.child': 'a process of its own',
    'gluon_cbam.benchmarks.torch_faces': 'needs PyTorch',
    'gluon_cbam.benchmarks.torch_network': 'needs PyTorch',
    'gluon_cbam.training.distributed.server_node': 'a process of its own',
    'gluon_cbam.launch.supervisor': 'a process of its own',
}


def packages():
    """Dotted names of the packages, parents first."""
    below = pkgutil.walk_packages(import_module(PACKAGE).__path__, f'{PACKAGE}.')
    return sorted([PACKAGE, *(module.name for module in below if module.ispkg)])


def modules(package):
    """Dotted names of the public modules in a package."""
    inside = pkgutil.iter_modules(import_module(package).__path__, f'{package}.')
    names = sorted(module.name for module in inside if not module.ispkg)
    return [name for name in names if source(name).endswith('.py') and not name.rpartition('.')[2].startswith('_')]


def source(module):
    return find_spec(module).origin


def docstring(module):
    return ast.get_docstring(ast.parse(Path(source(module)).read_text(encoding='utf-8'))) or ''


def summary(module):
    """The first sentence of a module's docstring."""
    first = ' '.join(docstring(module).partition('\n\n')[0].split())
    return re.sub(r':\w+:`[.~]*([^`]*)`', r'``\1``', first.split('. ')[0].rstrip('.') + '.')


def title(text, mark):
    return f'{text}\n{mark * len(text)}\n\n'


def public_names(package):
    """A table of the names that a package gives, each with the place where it is defined."""
    module = import_module(package)
    rows = []
    for name in sorted(getattr(module, '__all__', ()), key=str.lower):
        value = getattr(module, name)
        if inspect.ismodule(value):
            rows.append((f':py:mod:`~{value.__name__}`', summary(value.__name__)))
            continue
        home = getattr(value, '__module__', None) if callable(value) else None
        role = 'class' if inspect.isclass(value) else 'func'
        if not home or not home.startswith(PACKAGE):
            rows.append((f'``{name}``', ''))
        else:
            first = (inspect.getdoc(value) or '').partition('\n\n')[0]
            rows.append((f':py:{role}:`{name} <{home}.{value.__name__}>`', ' '.join(first.split())))
    if not rows:
        return ''
    lines = ['.. list-table::', '   :widths: auto', '']
    for name, text in rows:
        lines += [f'   * - {name}', f'     - {text}']
    return f'.. rubric:: Import from ``{package}``\n\n' + '\n'.join(lines) + '\n\n'


def module_section(name):
    text = title(name.rpartition('.')[2], '-')
    if name in PROGRAMS:
        return text + f'.. py:module:: {name}\n\n*{PROGRAMS[name]}*\n\n' + docstring(name) + '\n\n'
    return text + f'.. automodule:: {name}\n   :ignore-module-all:\n\n'


def package_page(package, children):
    text = title(package, '=') + f'.. automodule:: {package}\n   :ignore-module-all:\n\n' + public_names(package)
    if children:
        text += '.. toctree::\n   :maxdepth: 1\n\n' + ''.join(f'   {child}\n' for child in children) + '\n'
    return text + ''.join(module_section(name) for name in modules(package))


def index_page(names):
    text = title('API reference', '=')
    text += 'Everything that is public, package by package. :doc:`/guide/python` shows how the parts are used\n'
    text += 'together, and :doc:`/develop/architecture` which package may import which.\n\n'
    text += public_names(PACKAGE)
    text += '.. rubric:: Packages\n\n.. list-table::\n   :widths: auto\n\n'
    for name in names:
        if name.count('.') == 1:
            text += f'   * - :doc:`{name.partition(".")[2]} <{name}>`\n     - {summary(name)}\n'
    top = [name for name in names if name.count('.') == 1]
    text += '\n.. toctree::\n   :hidden:\n   :maxdepth: 1\n\n' + ''.join(f'   {name}\n' for name in [PACKAGE, *top])
    return text


def table(directive, header, rows):
    """The nodes of a table in a page of Markdown; cells are Markdown."""
    rows = [header, ['---'] * len(header), *rows]
    lines = ['| ' + ' | '.join(str(cell).replace('|', '\\|') for cell in row) + ' |' for row in rows]
    node = nodes.container()
    nested_parse_with_titles(directive.state, StringList(lines, source=directive.name), node)
    return node.children


def write(path, text):
    if not path.is_file() or path.read_text(encoding='utf-8') != text:  # an unchanged page is not read again
        path.write_text(text, encoding='utf-8')


def generate(app):
    names = packages()
    PACKAGES.update(names)
    app.api_modules = {module for name in names for module in (name, *modules(name))}
    unknown = set(PROGRAMS) - app.api_modules
    if unknown:
        raise ExtensionError(f'PROGRAMS names modules that are not there: {", ".join(sorted(unknown))}')
    FOLDER.mkdir(parents=True, exist_ok=True)
    for old in FOLDER.glob('*.rst'):
        if old.stem not in (*names, 'index'):
            old.unlink()
    for name in names:
        nested = [other for other in names if other.rpartition('.')[0] == name and name != PACKAGE]
        text = package_page(name, nested)
        write(FOLDER / f'{name}.rst', text)
    write(FOLDER / 'index.rst', index_page(names))


def home(name):
    """The full name of what a package re-exports: ``gluon_cbam.CBAM`` -> ``gluon_cbam.attention.cbam.CBAM``."""
    full = name if name.startswith(f'{PACKAGE}.') else f'{PACKAGE}.{name}'
    module, _, attribute = full.rpartition('.')
    if module in PACKAGES:
        value = getattr(import_module(module), attribute, None)
        if getattr(value, '__module__', None) and hasattr(value, '__qualname__'):
            return f'{value.__module__}.{value.__qualname__}'
    elif module != PACKAGE and home(module) != module:  # a member of a class that is re-exported
        return f'{home(module)}.{attribute}'
    return name


def constant_home(target, current, domain):
    """The place of the module with a constant without docstring: ``variants.RESNETS``, or ``HEADS`` in its module."""
    module, _, name = target.rpartition('.')
    wanted = module or current
    places = [full for full in domain.modules if wanted and (full == wanted or full.endswith(f'.{wanted}'))]
    found = [full for full in places if full not in PROGRAMS and hasattr(import_module(full), name)]
    return domain.objects.get(found[0]) if len(found) == 1 else None


@lru_cache(maxsize=None)
def imports(module):
    """Names that a module imports, also for annotations alone -> their full names."""
    names = {}
    path = source(module)
    package = module if path.endswith('__init__.py') else module.rpartition('.')[0]
    for node in ast.walk(ast.parse(Path(path).read_text(encoding='utf-8'))):
        if isinstance(node, ast.ImportFrom):
            above = package.split('.')[: len(package.split('.')) - node.level + 1] if node.level else []
            base = '.'.join([*above, *([node.module] if node.module else [])])
            names.update({alias.asname or alias.name: f'{base}.{alias.name}' for alias in node.names})
    return names


def qualify(app, doctree):
    """Give the references of docstrings and annotations the full names of what their module imports."""
    for node in doctree.findall(pending_xref):
        module, target = node.get('py:module'), node.get('reftarget', '')
        if node.get('refdomain') == 'py' and module in app.api_modules and target.lstrip('.') in imports(module):
            node['reftarget'] = home(imports(module)[target.lstrip('.')])


def owner(target, node, domain):
    """The place of the class whose docstring describes an attribute."""
    name = target.rpartition('.')[0] or node.get('py:class') or ''
    found = [
        full
        for full, place in domain.objects.items()
        if name and f'.{full}'.endswith(f'.{name}') and place.objtype == 'class'
    ]
    near = [full for full in found if full == f'{node.get("py:module")}.{name}']
    return domain.objects[(near or found)[0]] if len(near or found) == 1 else None


def resolve(app, env, node, contnode):
    """Find names that annotations and docstrings give in short: those that one object alone ends with."""
    target = node.get('reftarget', '').lstrip('.')
    if node.get('refdomain') != 'py' or not target:
        return None
    domain = env.get_domain('py')
    target = home(target)
    found = sorted(name for name in domain.objects if name == target or name.endswith(f'.{target}'))
    near = [name for name in found if name.startswith('.'.join((node.get('py:module') or '').split('.')[:2]) + '.')]
    for names in (found, near):
        if len(names) == 1:
            place = domain.objects[names[0]]
            return make_refnode(app.builder, node['refdoc'], place.docname, place.node_id, contnode, names[0])
    place = constant_home(target, node.get('py:module'), domain)
    if not place and node.get('reftype') == 'attr':
        place = owner(target, node, domain)
    return place and make_refnode(app.builder, node['refdoc'], place.docname, place.node_id, contnode, target)


def untyped_returns(docstring, preprocess_types=False):
    return [('', '', docstring._dedent(docstring._consume_to_next_section()))]


def suppress_long_value(documenter, original=DataDocumenter.should_suppress_value_header):
    return original(documenter) or len(repr(documenter.object)) > _LONGEST


def setup(app):
    DataDocumenter.should_suppress_value_header = suppress_long_value
    # napoleon takes what precedes the first colon for a type; here types are annotations
    GoogleDocstring._parse_attribute_docstring = GoogleDocstring._consume_to_end
    GoogleDocstring._consume_returns_section = untyped_returns
    app.connect('builder-inited', generate)
    app.connect('doctree-read', qualify)
    app.connect('missing-reference', resolve)
    return {'version': '1', 'parallel_read_safe': True}
