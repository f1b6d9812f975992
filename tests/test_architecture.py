"""Packages import only packages below them, without cycles, and nothing heavy when the command line starts."""

import ast
import re
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

# from the highest to the lowest level; '' is gluon_cbam/__init__.py. A package imports only packages on lower levels
LEVELS = (
    ('__main__',),
    ('cli',),
    ('segmentation',),
    ('recognition', 'detection', 'classification', 'multilabel', 'benchmarks'),
    ('publishing', 'explain', 'gluoncv'),
    ('adapters',),
    ('training',),
    ('export',),
    ('inference',),
    ('tasks',),
    ('pretrained',),
    ('convert',),
    ('weights',),
    ('models',),
    ('quantization',),
    ('attention', 'installation'),
    ('ops', 'zoo'),
    ('data', 'launch'),
    ('',),
    ('compat',),
    ('common',),
)
# the same inside packages
INNER_LEVELS = {
    'data': (
        ('faces',),
        ('preparation',),
        ('datasets', 'loading'),
        ('class_masks',),
        ('boxes',),
        ('sources',),
        ('records',),
        ('decoding', 'resizing', 'class_names'),
    ),
    'explain': (
        ('figures',),
        ('images', 'localization'),
        ('maps',),
    ),
    'training': (
        ('loop',),
        ('logging',),
        ('checkpoint',),
        ('setup',),
        ('teacher',),
        ('optim',),
        ('sharding',),
        ('parameters',),
        ('config', 'distributed'),
    ),
}
HEAVY = ('mxnet', 'gluoncv', 'cv2', 'numpy', 'scipy', 'PIL', 'matplotlib', 'sklearn', 'torch', 'onnx', 'onnxruntime')
# what may import mxnet as soon as it is imported, below packages that otherwise may not
IMPORT_MXNET = (
    'data.loading.batch_slices',
    'data.loading.epochs',
    'data.loading.training',
    'data.loading.box_mask_training',
    'data.loading.box_training',
    'data.loading.mask_training',
    'training.distributed.server_node',
)
WITHOUT_MXNET = ('common', 'compat', 'data', 'installation', 'launch', 'zoo', 'cli')
# users need no mxnet for these modules: all that is imported with them imports it in functions only
START_WITHOUT_MXNET = (
    'classification.report.page',
    'cli.commands.explain',
    'cli.commands.faces',
    'cli.commands.predict',
    'cli.commands.validate',
    'data',
    'detection.box_data',
    'detection.drawing',
    'detection.explaining',
    'detection.report.page',
    'detection.results',
    'explain',
    'explain.figures.output_directory',
    'explain.images.explainer',
    'explain.images.pipeline',
    'explain.maps.perturbation',
    'export.onnx.file',
    'export.onnx.graph',
    'export.runtime.engines',
    'export.runtime.evaluation',
    'export.runtime.session',
    'inference.formats',
    'inference.prediction',
    'inference.session',
    'models',
    'multilabel.report.page',
    'recognition.embedding_files',
    'recognition.embedding_run',
    'recognition.comparing',
    'recognition.encoder',
    'recognition.identifying',
    'recognition.searching',
    'recognition.report.identification_page',
    'recognition.report.verification_page',
    'recognition.verification',
    'segmentation.report.page',
    'tasks.class_check',
    'tasks.classification.evaluation',
    'tasks.classification.prediction',
    'tasks.detection.metrics.scores',
    'training.config.recipes',
    'zoo',
)
POSIX = ('fcntl', 'grp', 'pwd', 'resource', 'termios')


@pytest.fixture(scope='module')
def import_graph():
    """The module scripts/import_graph.py."""
    spec = spec_from_file_location('import_graph', ROOT / 'scripts' / 'import_graph.py')
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope='module')
def files(import_graph):
    """Dotted name -> file of each module."""
    return import_graph.module_files(ROOT)


@pytest.fixture(scope='module')
def modules(import_graph):
    """Which module imports which."""
    return import_graph.module_graph(ROOT)


def below(name, parent='gluon_cbam'):
    """A dotted name without that of a package that contains it."""
    return name[len(parent) + 1 :]


def upward(graph, levels):
    """(importer, imported) of each import that does not go to a lower level."""
    level_of = {name: -level for level, names in enumerate(levels) for name in names}
    return sorted(
        (name, target) for name, targets in graph.items() for target in targets if level_of[target] >= level_of[name]
    )


def inner_graph(import_graph, modules, package):
    """The imports between the parts of a package."""
    parent = f'gluon_cbam.{package}'
    graph = import_graph.package_graph(modules, depth=2)
    return {
        below(name, parent): {below(target, parent) for target in targets if target.startswith(f'{parent}.')}
        for name, targets in graph.items()
        if name.startswith(f'{parent}.')
    }


def test_modules_do_not_import_each_other_in_cycles(import_graph, modules):
    assert import_graph.cycles(modules) == []


@pytest.mark.parametrize('depth', [1, 2])
def test_packages_do_not_import_each_other_in_cycles(import_graph, modules, depth):
    assert import_graph.cycles(import_graph.package_graph(modules, depth)) == []


def test_packages_import_only_lower_levels(import_graph, modules):
    graph = import_graph.package_graph(modules)
    graph = {below(name): {below(target) for target in targets} for name, targets in graph.items()}
    assert set(graph) == {name for names in LEVELS for name in names}, 'each package has a level'
    assert upward(graph, LEVELS) == []


@pytest.mark.parametrize('package', INNER_LEVELS)
def test_parts_of_a_package_import_only_lower_levels(import_graph, modules, package):
    graph = inner_graph(import_graph, modules, package)
    assert set(graph) == {name for names in INNER_LEVELS[package] for name in names}, 'each part has a level'
    assert upward(graph, INNER_LEVELS[package]) == []


def imports_at_start(import_graph, files, start):
    """Module -> what it imports at its import, for a module and all of ours that are then imported."""
    found, waiting = {}, [start]
    while waiting:
        name = waiting.pop()
        if name in files and name not in found:
            found[name] = set(import_graph.imported_names(name, files[name], at_import=True))
            waiting.append(name.rpartition('.')[0])  # the package that contains it
            for target in found[name]:
                waiting += [target, target.rpartition('.')[0]]
    return found


def heavy(names, packages):
    return sorted(name for name in names if name.partition('.')[0] in packages)


def test_the_command_line_starts_without_heavy_imports(import_graph, files):
    started = imports_at_start(import_graph, files, 'gluon_cbam.cli.main')
    assert len(started) > 20
    assert {name: heavy(names, HEAVY) for name, names in started.items() if heavy(names, HEAVY)} == {}


def test_packages_without_mxnet_import_it_in_functions_only(import_graph, files):
    chosen = [
        name for name in files if below(name).partition('.')[0] in WITHOUT_MXNET and below(name) not in IMPORT_MXNET
    ]
    assert len(chosen) > 80
    importing = [
        name for name in chosen if heavy(import_graph.imported_names(name, files[name], at_import=True), ('mxnet',))
    ]
    assert importing == []


@pytest.mark.parametrize('name', START_WITHOUT_MXNET)
def test_what_runs_without_mxnet_imports_none_at_its_start(import_graph, files, name):
    started = imports_at_start(import_graph, files, f'gluon_cbam.{name}')
    absent = ('mxnet', 'gluoncv', *POSIX)
    assert {each: heavy(names, absent) for each, names in started.items() if heavy(names, absent)} == {}


@pytest.fixture(scope='module')
def package_docstrings(files):
    """Package -> docstring of its ``__init__``."""
    return {
        below(name): ast.get_docstring(ast.parse(path.read_text(encoding='utf-8'))) or ''
        for name, path in files.items()
        if path.name == '__init__.py'
    }


def test_each_package_states_what_it_may_import(package_docstrings):
    assert [name for name, text in package_docstrings.items() if not re.search(r'(?i)\bimports?\b', text)] == []
