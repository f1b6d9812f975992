"""For which systems there are wheels of mxnet, and what the messages say where there are none."""

import platform

import pytest

import gluon_cbam
from gluon_cbam.cli.diagnostics import _mxnet
from gluon_cbam.common.errors import DependencyError
from gluon_cbam.compat import versions
from gluon_cbam.compat.platforms import WHEELS, wheels, without_mxnet
from gluon_cbam.installation.builds import BUILDS

SYSTEMS = {
    ('Linux', 'x86_64'): 'install it with',
    ('Linux', 'aarch64'): 'for Linux on aarch64 there is mxnet 1.9.1 (it needs the Arm Performance Libraries',
    ('Darwin', 'x86_64'): 'for Darwin on x86_64 there is mxnet 1.9.1',
    ('Darwin', 'arm64'): 'for Darwin on arm64 there is no wheel of mxnet',
    ('Windows', 'AMD64'): 'for Windows on AMD64 there is mxnet 1.7.0 at most',
    ('FreeBSD', 'amd64'): 'for FreeBSD on amd64 there is no wheel of mxnet',
}


@pytest.fixture(params=SYSTEMS, ids='-'.join)
def system(request, monkeypatch):
    """A system, which this one pretends to be."""
    for name, value in zip(('system', 'machine'), request.param):
        monkeypatch.setattr(platform, name, lambda value=value: value)
    return request.param


def test_the_message_has_what_there_is_and_what_works(system):
    message = without_mxnet()
    assert message.startswith(SYSTEMS[system])
    assert '--exported FILE.onnx' in message
    assert '\n' not in message


def test_the_doctor_repairs_only_what_can_be(system, monkeypatch):
    monkeypatch.setattr(versions, 'mxnet_distributions', list)
    check = _mxnet()
    supported = system == ('Linux', 'x86_64')
    assert (check.ok, bool(check.remedy)) == (not supported, supported)
    assert wheels().supported == supported
    assert SYSTEMS[system] in check.detail + check.remedy


def test_python_users_read_it_too(monkeypatch):
    def no_mxnet(*names):
        raise ModuleNotFoundError("No module named 'mxnet'", name='mxnet')

    monkeypatch.setattr(gluon_cbam, 'import_module', no_mxnet)
    monkeypatch.delitem(vars(gluon_cbam), 'get_model', raising=False)
    with pytest.raises(DependencyError, match='^gluon_cbam.get_model needs mxnet: mxnet is not inst'):
        gluon_cbam.get_model  # noqa: B018 (it is imported on first use)


def test_the_builds_have_every_wheel_once():
    found = [wheel for build in BUILDS.values() for wheel in build.wheels]
    assert sorted(found) == sorted(WHEELS) and len({wheel.sha256 for wheel in WHEELS}) == len(WHEELS)
    assert wheels('Linux', 'x86_64').found == 'mxnet 1.9.1 and mxnet-cu117 1.9.1'
