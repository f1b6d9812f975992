"""Everything but gluon_cbam.gluoncv works without GluonCV and its requirements."""

from pathlib import Path

import pytest

SEVEN = Path(__file__).parent.parent / 'data' / 'seven.png'

# None in sys.modules lets an import fail as if the package were not installed
BLOCKED = """
import sys
sys.modules.update(dict.fromkeys(['autocfg', 'gluoncv', 'pandas', 'portalocker', 'yacs']))
import gluon_cbam
"""
RUN = """
import gluon_cbam.cli.main

def cbam(*words):
    try:
        gluon_cbam.cli.main.cli.main(list(words))
    except SystemExit as ended:
        assert not ended.code, words
"""


def test_every_module_is_imported(python):
    modules = """
import importlib, pkgutil
optional = ('gluoncv', 'insightface', 'insightface_config', 'of_torch', 'torch_faces', 'torch_network', 'child',
            'server_node', 'supervisor', 'operators')
for module in pkgutil.walk_packages(gluon_cbam.__path__, 'gluon_cbam.'):
    if not module.name.endswith(optional):
        importlib.import_module(module.name)
"""
    process = python(BLOCKED + modules)
    assert (process.returncode, process.stderr) == (0, '')


@pytest.mark.slow
def test_a_run_from_data_to_prediction(python, tmp_path):
    digits, run = tmp_path / 'digits', tmp_path / 'run'
    commands = f"""
cbam('data', 'digits', {str(digits)!r})
network = ('--network', 'cbamnet_tiny')
cbam('train', *network, '--data-train', {str(digits / 'train.rec')!r}, '--data-val', {str(digits / 'val.rec')!r},
     '--output', {str(run)!r}, '--image-size', '16', '--epochs', '1', '--warmup-epochs', '0.5')
cbam('predict', {str(SEVEN)!r}, *network, '--params', {str(run)!r})
cbam('explain', {str(SEVEN)!r}, *network, '--params', {str(run)!r}, '--output', {str(tmp_path / 'maps')!r})
"""
    process = python(BLOCKED + RUN + commands)
    assert process.returncode == 0, process.stderr
    assert (run / 'curves.png').is_file()


def test_errors_name_the_extra(python):
    process = python(BLOCKED + 'import gluon_cbam.gluoncv')
    assert "DependencyError: gluoncv is not installed: pip install 'gluon_cbam[gluoncv]'" in process.stderr


def test_gluoncv_is_optional_for_the_doctor(monkeypatch):
    from gluon_cbam.cli import diagnostics

    monkeypatch.setattr(diagnostics.versions, 'installed', lambda name: None)
    check = diagnostics._gluoncv()
    assert (check.ok, check.remedy) == (True, '')
    assert "pip install 'gluon_cbam[gluoncv]'" in check.detail


def test_class_names_of_imagenet():
    from gluon_cbam.data.datasets.imagenet import imagenet_classes

    names = imagenet_classes()
    assert (len(names), names[0], names[134], names[517], names[-1]) == (
        1000,
        'tench',
        'crane',
        'crane',
        'toilet tissue',
    )
    gluoncv = pytest.importorskip('gluoncv.data.imagenet.classification')
    assert names == list(gluoncv.ImageNet1kAttr().classes)
