"""The old names of modules work for one release, with a warning."""

import sys
import warnings
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

import gluon_cbam
from gluon_cbam.compat.renamed import RENAMED

IMPORTABLE = sorted(old for old in RENAMED if find_spec(f'gluon_cbam.{RENAMED[old]}') is not None)


def test_every_new_name_exists():
    assert sorted(RENAMED) == IMPORTABLE


@pytest.mark.parametrize(
    'old',
    [
        'commands.train',
        'kernels.status',
        'errors',
        'evaluation',
        'data.recordio',
        'kernels.forms',
        'training.rehearsal',
    ],
)
def test_an_old_name_is_the_new_module_with_a_warning(old, monkeypatch):
    monkeypatch.delitem(sys.modules, f'gluon_cbam.{old}', raising=False)
    with pytest.warns(DeprecationWarning, match=f'gluon_cbam.{old} was renamed to gluon_cbam.{RENAMED[old]}'):
        module = import_module(f'gluon_cbam.{old}')
    assert module is import_module(f'gluon_cbam.{RENAMED[old]}')
    assert module.__spec__.name == f'gluon_cbam.{RENAMED[old]}'


@pytest.mark.parametrize(
    ('module', 'old', 'new'),
    [
        ('data.sources.images', 'Picture', 'ImageSource'),
        ('data.sources.images', 'open_pictures', 'open_images'),
        ('data.loading.training', 'Normalise', 'Normalize'),
        ('data.preprocessing', 'decode', 'decode'),
        ('inference', 'load_network', 'load_network'),
        ('classifier', 'of_export', 'exported_session'),
        ('models.features', 'features', 'features'),
        ('training.rehearsal', 'rehearse', 'dry_run'),
        ('convert.checkpoint', 'from_source', 'from_source'),
        ('publishing', 'About', 'About'),
    ],
)
def test_an_old_name_of_an_attribute_is_the_new_one_with_a_warning(module, old, new):
    home = import_module(f'gluon_cbam.{module}')
    with pytest.warns(DeprecationWarning, match=rf'{old} was renamed to gluon_cbam\..*\.{new};'):
        renamed = getattr(home, old)
    assert renamed.__name__ == new
    assert not hasattr(home, 'never_was')


def test_the_old_name_of_a_constant_is_the_new_one_with_a_warning():
    with pytest.warns(
        DeprecationWarning, match=r'EXTENSIONS was renamed to gluon_cbam\.data\.decoding\.IMAGE_ENDINGS;'
    ):
        endings = import_module('gluon_cbam.data.trees').EXTENSIONS
    assert {'.jpg', '.png'} < set(endings)


def test_new_names_are_silent(python):
    process = python("import warnings; warnings.simplefilter('error'); import gluon_cbam.common.errors; print('fine')")
    assert process.stdout.strip() == 'fine'


def test_an_unknown_name_is_not_a_module():
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        with pytest.raises(ModuleNotFoundError, match='gluon_cbam.never_was'):
            import_module('gluon_cbam.never_was')


def test_no_module_has_an_old_name():
    folder = Path(gluon_cbam.__file__).parent
    assert [old for old in RENAMED if (folder / f'{old.replace(".", "/")}.py').exists()] == []


def test_compiling_runs_by_its_old_name(python):
    code = "import runpy; print(runpy.run_module('gluon_cbam.kernels.building', run_name='not main')['SOURCES'])"
    assert python(code).stdout.strip().endswith('gluon_cbam/ops/native')


def test_an_old_name_runs_as_a_program(python):
    process = python(
        "import runpy, sys; sys.argv[1:] = ['--help']; runpy.run_module('gluon_cbam.launch.guard', run_name='__main__')"
    )
    assert 'gluon_cbam.launch.supervisor' in process.stdout


def test_an_attribute_has_its_old_name_with_a_warning():
    from gluon_cbam.training import distributed
    from gluon_cbam.training.distributed.process_group import ProcessGroup

    with pytest.warns(
        DeprecationWarning, match='Workers was renamed to gluon_cbam.training.distributed.process_group.ProcessGroup'
    ):
        assert distributed.Workers is ProcessGroup
    with pytest.raises(AttributeError, match="module 'gluon_cbam.training.distributed' has no attribute 'Walkers'"):
        _ = distributed.Walkers
