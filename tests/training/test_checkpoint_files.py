"""Checkpoints: the files after a crash at any point of writing, and the handling of damaged files."""

import errno
import json
import logging

import mxnet as mx
import numpy as np
import pytest

from gluon_cbam import weights
from gluon_cbam.common.errors import DataError, TransferError
from gluon_cbam.training.checkpoint.files import Checkpoints
from gluon_cbam.weights.files import find_file

CARD = {'network': 'dense', 'classes': 2, 'preprocessing': {}}


class Momentum:
    """A part of a run."""

    def __init__(self):
        self.value = mx.nd.zeros(3)

    def arrays(self):
        return {'a/b': self.value, 'half': self.value.astype('float16')}

    def restore(self, arrays, step):
        assert np.array_equal(arrays['half'].asnumpy(), arrays['a/b'].asnumpy())
        self.value = arrays['a/b']


class Trained:
    """A network and a part whose values are the step."""

    def __init__(self, folder):
        self.checkpoints = Checkpoints(folder)
        self.net = mx.gluon.nn.Dense(2, in_units=3)
        self.net.initialize()
        self.parts = {'optimizer': Momentum()}

    def save(self, epoch, step):
        self.net.weight.set_data(mx.nd.full((2, 3), 2 * step + epoch))
        self.parts['optimizer'].value = mx.nd.full(3, step)
        progress = {'epoch': epoch, 'step': step}
        return self.checkpoints.save_newest(self.net, self.parts, CARD, progress, {'data': None})

    def restored(self):
        """(epoch, step) of the newest state, or None, after the arrays were compared with it."""
        state = self.checkpoints.newest()
        if state is None:
            return None
        self.checkpoints.restore(state, self.net, self.parts)
        epoch, step = state.progress['epoch'], state.progress['step']
        assert (self.net.weight.data().asnumpy() == 2 * step + epoch).all()
        assert (self.parts['optimizer'].value.asnumpy() == step).all()
        return epoch, step


def names(folder, pattern='*'):
    return sorted(path.name for path in folder.glob(pattern))


def test_a_crash_while_writing_leaves_a_complete_state(tmp_path, disks_before_each_write):
    """The state is the new one or the one before; incomplete files are removed."""
    folder = tmp_path / 'checkpoints'
    run = Trained(folder)
    moments, points = [(0, 3), (0, 6), (1, 6), (1, 9)], []
    with disks_before_each_write(folder) as disks:
        for before, moment in zip([None, *moments], moments):
            run.save(*moment)
            points += [(before, moment)] * (len(disks) - len(points))
    assert len(points) == 4 * 9 + 2 * 3  # a file: sync, rename, sync of the folder
    found = []
    for disk, allowed in zip(disks, points):
        resumed = Trained(disk)
        assert resumed.restored() in allowed, disk
        resumed.checkpoints.clean()
        assert not names(disk, '.*')
        assert all(len(names(disk, f'{card.stem}.*')) == 3 for card in disk.glob('*.json'))
        assert {path.stem for path in disk.iterdir()} == {card.stem for card in disk.glob('*.json')}
        found.append(resumed.restored() == allowed[1])
        resumed.save(2, 12)
        assert Trained(disk).restored() == (2, 12)
    assert any(found), 'a state counts as soon as its card is there'
    assert not all(found)


def test_the_two_newest_are_kept(tmp_path):
    run = Trained(tmp_path)
    for step in range(5):
        run.save(0, step)
    assert names(tmp_path, '*.params') == [
        'newest-epoch0000-step00000003.params',
        'newest-epoch0000-step00000004.params',
    ]
    assert find_file(tmp_path).name == 'newest-epoch0000-step00000004.params'


def test_a_state_is_written_once(tmp_path):
    run = Trained(tmp_path)
    path = run.save(0, 1)
    before = path.stat().st_mtime_ns
    assert run.save(0, 1) == path
    assert path.stat().st_mtime_ns == before


def cut(path):
    path.write_bytes(path.read_bytes()[:-5])


def turn(path):
    content = bytearray(path.read_bytes())
    content[-7] ^= 1
    path.write_bytes(content)


def another_step(path):
    path.write_text(path.read_text().replace('"step": 6', '"step": 7'))


DAMAGE = [
    ('.params', cut), ('.params', turn), ('.params', lambda path: path.unlink()),
    ('.states', cut), ('.states', turn), ('.states', lambda path: path.unlink()),
    ('.json', cut), ('.json', another_step), ('.json', lambda path: path.write_text('{}')),
    ('.json', lambda path: path.write_bytes(b'\xff\0')),
]  # fmt: skip


@pytest.mark.parametrize(('ending', 'damage'), DAMAGE)
def test_a_damaged_state_is_passed_over_with_a_warning(tmp_path, caplog, ending, damage):
    run = Trained(tmp_path)
    run.save(0, 3)
    damage(run.save(0, 6).with_suffix(ending))
    resumed = Trained(tmp_path)
    with caplog.at_level(logging.WARNING):
        assert resumed.restored() == (0, 3)
    (message,) = caplog.messages
    assert 'newest-epoch0000-step00000006' in message
    assert message.endswith('newest-epoch0000-step00000003.params, which is whole')
    resumed.save(0, 5)
    assert names(tmp_path, '*.json') == ['newest-epoch0000-step00000003.json', 'newest-epoch0000-step00000005.json']
    damage(resumed.save(0, 6).with_suffix(ending))
    assert Trained(tmp_path).restored() == (0, 5), 'the damaged one did not take the place of a whole one'


def test_a_run_with_damaged_states_only_does_not_restart(tmp_path):
    run = Trained(tmp_path)
    for step in (3, 6):
        cut(run.save(0, step))
    with pytest.raises(
        DataError, match='no whole state is left in .*SHA-256.*: start a new run in another --output'
    ) as caught:
        Trained(tmp_path).restored()
    assert '\n' not in str(caught.value)


def test_removed_states_are_an_error(tmp_path):
    run = Trained(tmp_path)
    run.checkpoints.save_best(run.net, CARD)
    with pytest.raises(DataError, match='no whole state is left'):
        run.restored()


def test_no_state_was_saved(tmp_path):
    assert Trained(tmp_path).restored() is None


def test_other_parts_are_refused(tmp_path):
    run = Trained(tmp_path)
    run.save(0, 3)
    run.parts['ema'] = Momentum()
    with pytest.raises(DataError, match='was saved with optimizer, this run has ema, optimizer'):
        run.restored()


def test_nothing_is_pickled(tmp_path):
    """MXNet's own format begins with 0x112; a pickle would run its code when loaded."""
    path = Trained(tmp_path).save(0, 3)
    for ending in ('.params', '.states'):
        assert path.with_suffix(ending).read_bytes()[:8] == (0x112).to_bytes(8, 'little')
    json.loads(path.with_suffix('.json').read_text())


@pytest.mark.parametrize('failing', ['states', 'params'])
def test_a_full_disk_leaves_the_state_before(failing, tmp_path, monkeypatch):
    folder = tmp_path / 'checkpoints'
    run = Trained(folder)
    run.save(0, 3)
    before = names(folder)
    full = OSError(errno.ENOSPC, 'No space left on device')

    def write(*arguments):
        raise full

    monkeypatch.setattr(
        *{'states': (weights, 'write_arrays'), 'params': (weights.files, 'write_parameters')}[failing], write
    )
    with pytest.raises(TransferError, match=rf'step00000006\.{failing} was not written: No space left on device'):
        run.save(0, 6)
    assert names(folder) == before
    assert run.checkpoints.newest_intact() == (
        f'{folder}/newest-epoch0000-step00000003.params is whole: continue with --resume {tmp_path}'
    )
    monkeypatch.undo()
    assert Trained(folder).restored() == (0, 3)
    run.save(0, 6)
    assert Trained(folder).restored() == (0, 6)
