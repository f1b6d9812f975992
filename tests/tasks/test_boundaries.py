"""Packages above the tasks use only the interface, and tasks import nothing from these packages."""

import re
from pathlib import Path

import pytest

import gluon_cbam
from gluon_cbam.tasks import TASKS, get_task

PACKAGE = Path(gluon_cbam.__file__).parent
OF_CLASSIFICATION = re.compile(r'top.?[15]\b|softmax|cross.?entropy', re.IGNORECASE)
# Grad-CAM's maps are of classes: these commands are of classification alone
OF_CLASSES = {'cli/commands/explain_score.py'}
# the loss over classes of which no device has all, for any task
SHARDED_LOSS = 'training/sharding/'


def sources(folder):
    return {path.relative_to(PACKAGE).as_posix(): path for path in sorted((PACKAGE / folder).rglob('*.py'))}


@pytest.mark.parametrize('folder', ['training', 'inference', 'publishing', 'cli'])
def test_only_the_task_knows_its_figures(folder):
    found = {
        f'{name}:{number}: {line.strip()}'
        for name, path in sources(folder).items()
        if name not in OF_CLASSES and not name.startswith(SHARDED_LOSS)
        for number, line in enumerate(path.read_text(encoding='utf-8').splitlines(), 1)
        if OF_CLASSIFICATION.search(line)
    }
    assert not found


@pytest.mark.parametrize('folder', ['training', 'inference', 'publishing', 'cli', 'export'])
def test_only_deprecated_names_refer_to_a_task(folder):
    """No import of a task's package; strings are aliases of names that moved there."""
    found = [
        name
        for name, path in sources(folder).items()
        if re.search(r'^\s*(from|import) .*tasks\.classification', path.read_text(encoding='utf-8'), re.MULTILINE)
    ]
    assert not found


def test_tasks_import_no_higher_packages():
    above = re.compile(r'gluon_cbam\.(training|inference|publishing|cli|export|explain|benchmarks|pretrained)\b')
    found = [
        f'{name}: {line.strip()}'
        for name, path in sources('tasks').items()
        for line in path.read_text(encoding='utf-8').splitlines()
        if re.match(r'\s*(from|import) ', line) and above.search(line)
    ]
    assert not found


def test_every_row_is_a_task_of_its_name():
    for name in TASKS:
        assert get_task(name).name == name


def test_importing_a_task_is_fast(python):
    code = 'import sys\nfrom gluon_cbam.tasks import get_task\nprint(get_task().best.label)\n'
    assert python(code + "print({'mxnet', 'numpy', 'cv2'} & set(sys.modules))").stdout.split() == ['top-1', 'set()']
