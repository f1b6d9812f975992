"""The names of release 0.1 still work, with a warning."""

import importlib

import pytest


@pytest.mark.parametrize(
    ('module', 'old', 'new'),
    [
        ('exporting', 'Request', 'request.ExportRequest'),
        ('exporting', 'Report', 'request.ExportReport'),
        ('exporting', 'export', 'exporter.export_network'),
        ('samples', 'Samples', 'samples.SampleImages'),
        ('samples', 'samples', 'samples.sample_images'),
    ],
)
def test_old_names_warn(module, old, new):
    home, _, name = f'gluon_cbam.export.{new}'.rpartition('.')
    with pytest.warns(DeprecationWarning, match=f'{old} was renamed to gluon_cbam.export.{new}'):
        found = getattr(importlib.import_module(f'gluon_cbam.export.{module}'), old)
    assert found is getattr(importlib.import_module(home), name)


def test_load_exported_is_public():
    from gluon_cbam import export
    from gluon_cbam.export import runtime

    assert export.load_exported is runtime.load_exported
