"""``gluon_cbam.train`` gives what ``cbam train`` gives."""

import json

import pytest

import gluon_cbam
from gluon_cbam.common.errors import UsageError
from gluon_cbam.common.files import sha256
from gluon_cbam.training import TrainConfig


@pytest.fixture(scope='module')
def settings(digits):
    return {
        'network': 'cbamnet_tiny', 'data_train': digits / 'val.rec', 'data_val': digits / 'val.rec', 'epochs': 1,
        'image_size': 16, 'augment': 'none', 'batch_size': 60, 'workers': 1,
    }  # fmt: skip


def test_a_run_is_that_of_the_command(cbam_here, settings, tmp_path):
    """From a mapping, keywords, a file and a TrainConfig: the same parameters to the last bit."""
    flags = [str(part) for name, value in settings.items() for part in (f'--{name.replace("_", "-")}', value)]
    flags[flags.index('--workers')] = '-j'
    done = cbam_here('train', *flags, '--output', tmp_path / 'command', '--json')
    assert done.returncode == 0, done.stderr
    wanted = json.loads(done.stdout)
    texts = {name: value if isinstance(value, int) else str(value) for name, value in settings.items()}
    (tmp_path / 'run.yaml').write_text(''.join(f'{name}: {value}\n' for name, value in texts.items()))
    for name, config, more in [
        ('mapping', settings, {}),
        ('file', tmp_path / 'run.yaml', {}),
        ('object', TrainConfig(**{**texts, 'output': str(tmp_path / 'object')}), None),
    ]:
        run = gluon_cbam.train(config, **({} if more is None else {'output': tmp_path / name, **more}))
        assert run.output == tmp_path / name
        assert {**run.summary, 'output': 0, 'seconds': 0} == {**wanted, 'output': 0, 'seconds': 0}
        assert json.loads((run.output / 'summary.json').read_text()) == run.summary
        assert sha256(run.params) == sha256(tmp_path / 'command' / 'checkpoints' / 'best.params')
    assert run.load().class_names == [str(digit) for digit in range(10)]


def test_errors(settings, tmp_path):
    with pytest.raises(UsageError, match='did you mean epochs'):
        gluon_cbam.train(settings, epoch=1)
    with pytest.raises(UsageError, match='put epochs into it'):
        gluon_cbam.train(TrainConfig(network='cbamnet_tiny'), epochs=1)
    with pytest.raises(UsageError, match='--network is needed'):
        gluon_cbam.train()
