"""Profiles by kinds of operators: of a real process, and in the document."""

import pytest
from benchmarks import IMPORTABLE, document, profiling
from benchmarks.profiling import Profile, profile

from gluon_cbam.benchmarks.context import BenchmarkContext
from gluon_cbam.common.errors import RunError

_TINY = BenchmarkContext(
    'predict', network='cbamnet_tiny', image_size=32, batch=2, classes=10, label='ours', environment=IMPORTABLE
)


@pytest.mark.parametrize('mode', ['predict', 'train'])
def test_every_run_of_an_operator_is_counted(mode):
    loop = 'benchmarks.bare_loops:train' if mode == 'train' else None
    context = _TINY.replace(mode=mode, workload=loop, environment={**IMPORTABLE, 'CBAM_KERNELS': 'plain'})
    found = profile(context)
    # two stages, each with a convolution, one in the spatial gate, and a BatchNorm
    assert found.runs['Convolution'] == 4 and found.runs['BatchNorm'] == 2
    assert ('_backward_Convolution' in found.runs) == (mode == 'train')
    assert all(milliseconds > 0 for milliseconds in found.by_kind().values())
    assert sum(found.by_kind().values()) == pytest.approx(sum(found.milliseconds.values()))


def test_backward_passes_have_the_kind_of_their_operator():
    milliseconds = {
        'Convolution': 1.0,
        '_cbam_convolution': 2.0,
        '_backward_cbam_convolution': 4.0,
        '_backward_Activation': 8.0,
        '_cbam_prelu': 16.0,
        '_backward_cbam_pool': 32.0,
        'BatchNorm': 64.0,
    }
    assert Profile(milliseconds, {}).by_kind() == {
        'convolutions': 7.0,
        'BatchNorm': 64.0,
        'activations': 24.0,
        'attention and all else': 32.0,
    }


def test_errors_of_the_process():
    with pytest.raises(RunError, match='ours: .*cbamnet_tyni'):
        profile(_TINY.replace(network='cbamnet_tyni'))


def test_document_compares_profiles(monkeypatch):
    monkeypatch.setattr(profiling, 'PROFILES', {'tiny': [_TINY.replace(label='theirs'), _TINY]})
    taken = iter([{'Convolution': 30.0, 'max': 12.5}, {'Convolution': 20.0, '_cbam_pool': 0.5}])
    monkeypatch.setattr(profiling, 'profile', lambda context: Profile(next(taken), {}))
    lines = []
    found = profiling.profile_all(2, lines.append)
    assert lines == ['tiny: theirs: 42.5 ms', 'tiny: ours: 20.5 ms']
    text = document.as_markdown({'rows': {}, 'profiles': {**document.conditions(2), 'found': found}})
    for line in ('| tiny | theirs | ours |', '| convolutions | 30.0 | 20.0 |', '| together | 42.5 | 20.5 |'):
        assert line in text
