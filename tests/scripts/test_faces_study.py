"""The study of margins on withheld classes: its data, its statistics, and a small version of it."""

import gzip
import json
import struct

import mxnet as mx
import numpy as np
import pytest
import study
from faces_studies import report
from faces_studies.idx import read_idx
from faces_studies.pictures import SOURCES, Pictures, divide, read_fashion, withheld_classes, write_pairs, write_records

import gluon_cbam
from gluon_cbam.common.errors import DataError, EnvironmentProblem
from gluon_cbam.data.faces.verification_sets import open_verification_set
from gluon_cbam.data.records.recordio import RecordFile


def write_idx(path, array, **changes):
    """An IDX file; ``changes``: another ``kind``, ``axes``, ``sizes`` or ``content`` than those of the array."""
    sizes = changes.get('sizes', array.shape)
    head = struct.pack('>HBB', 0, changes.get('kind', 8), changes.get('axes', array.ndim))
    head += b''.join(struct.pack('>I', size) for size in sizes)
    path.write_bytes(gzip.compress(head + changes.get('content', array.tobytes())))
    return path


VALUES = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)


def test_idx_files_are_read(tmp_path):
    np.testing.assert_array_equal(read_idx(write_idx(tmp_path / 'x.gz', VALUES), 3), VALUES)


@pytest.mark.parametrize(
    ('changes', 'part'),
    [
        (dict(kind=13), 'it begins with 0, 13, 3'),
        (dict(axes=2), 'it begins with 0, 8, 2'),
        (dict(sizes=(3, 3, 4)), 'it states 3 x 3 x 4 values and has 24'),
        (dict(sizes=(1, 3, 4)), 'it states 1 x 3 x 4 values and has more'),
        (dict(sizes=(60000, 60000, 60000)), 'more than 268435456'),
    ],
)
def test_sizes_of_idx_files_are_checked(tmp_path, changes, part):
    path = write_idx(tmp_path / 'x.gz', VALUES, **changes)
    with pytest.raises(DataError, match=part) as raised:
        read_idx(path, 3)
    assert str(path) in str(raised.value)


def test_damaged_idx_files_are_refused(tmp_path):
    whole = write_idx(tmp_path / 'x.gz', VALUES).read_bytes()
    flipped = whole[:30] + bytes([whole[30] ^ 255]) + whole[31:]
    for content in (b'', whole[:-9], whole[:6], b'not gzip', flipped):
        (tmp_path / 'x.gz').write_bytes(content)
        with pytest.raises(DataError, match=r'x\.gz'):
            read_idx(tmp_path / 'x.gz', 3)


def test_missing_photographs_say_what_to_install(tmp_path):
    with pytest.raises(EnvironmentProblem, match='apt-get install dataset-fashion-mnist, or give its folder'):
        read_fashion(tmp_path)


def test_photographs_and_labels_fit_each_other(tmp_path):
    write_idx(tmp_path / 't10k-images-idx3-ubyte.gz', VALUES)
    labels = tmp_path / 't10k-labels-idx1-ubyte.gz'
    write_idx(labels, np.array([3, 9], np.uint8))
    found = read_fashion(tmp_path)
    np.testing.assert_array_equal(found.pixels, VALUES)
    assert found.labels.tolist() == [3, 9]
    for wrong, part in (([3, 9, 1], 'has 2 pictures'), ([3, 10], 'the labels are not 0 to 9')):
        write_idx(labels, np.array(wrong, np.uint8))
        with pytest.raises(DataError, match=part):
            read_fashion(tmp_path)


@pytest.fixture(scope='module')
def marked():
    """Pictures that hold their own number and class."""
    labels = np.random.RandomState(0).randint(0, 10, 1200)
    pixels = np.zeros((1200, 2, 2), np.uint8)
    pixels[:, 0, 0], pixels[:, 0, 1], pixels[:, 1, 0] = np.arange(1200) // 256, np.arange(1200) % 256, labels
    return Pictures(pixels, labels)


@pytest.mark.parametrize('split', range(4))
def test_no_picture_is_on_two_sides(marked, split):
    unseen = withheld_classes(split)
    seen = [each for each in range(10) if each not in unseen]
    train, held_out, withheld = divide(marked, split, 60)
    numbers = [[tuple(pixels[0]) for pixels in part.pixels] for part in (train, held_out, withheld)]
    assert len(set().union(*numbers)) == sum(map(len, numbers)) == 600
    for part in (train, held_out):
        assert [seen[label] for label in part.labels] == part.pixels[:, 1, 0].tolist(), 'numbered from 0'
        assert set(part.labels) == set(range(7))
    assert set(withheld.pixels[:, 1, 0]) == set(withheld.labels) == set(unseen)
    assert len(held_out.labels) == 7 * 15


def test_splits_withhold_other_classes():
    assert len({tuple(withheld_classes(split)) for split in range(5)}) > 1


def test_differences_are_those_of_pairs():
    """A shift of all pairs is found, however far the pairs are apart; the interval is that of scipy's t-test."""
    from scipy import stats

    base, noise = np.array([0.1, 0.9, 0.5, 0.3, 0.7]), np.array([0.01, -0.02, 0.0, 0.02, 0.01])
    found = study.paired(base + 0.1 + noise, base)
    wanted = stats.ttest_rel(base + 0.1 + noise, base)
    assert found.mean == pytest.approx(0.104)
    assert found.differs
    assert found.mean / ((found.high - found.low) / 2 / stats.t.ppf(0.975, 4)) == pytest.approx(wanted.statistic)
    assert not study.paired(base + noise, base).differs


def outcomes():
    """Softmax at 0.8, a head 0.1 above it, one that is not told apart, and the pixels, for both sources."""
    wobble = np.array([-0.02, 0.01, 0.0, 0.02, -0.01])

    def scores(values):
        return [{'accuracy': v, 'auc': v, 'tar_at': {'1e-02': {'tar': v}}} for v in values]

    rows = {
        'softmax': 0.8 + 2 * wobble,
        'better': 0.9 + wobble,
        'same': 0.8 + wobble,
        'pixels, no network': 0.7 + wobble,
    }
    return [report.Outcome(source, head, scores(values)) for source in SOURCES for head, values in rows.items()]


def test_the_report_marks_what_differs(tmp_path):
    text = report.text(outcomes(), [[0, 1, 2]] * 5, 200, 150, 'scripts/faces_study', 'cbam train', 90.0)
    assert '**No face benchmark was run here**' in text
    assert '3,000 random pairs' in text
    assert text.count('| better | 0.900 ± 0.016 | 0.900 ± 0.016 | 0.900 ± 0.016 |') == 2
    assert text.count('| **+0.100 (+0.080 to +0.120)** |') == 4
    assert '**' not in next(line for line in text.splitlines() if line.startswith('| same | +'))
    assert '30 runs in 1.5 minutes' in text
    assert '{' not in text
    report.draw(outcomes(), tmp_path / 'plot.png')
    assert (tmp_path / 'plot.png').stat().st_size > 10_000


NETWORK = ['--network', 'cbamnet_tiny', '--option', 'embedding=32', '--option', 'image_size=8']


@pytest.fixture(scope='module')
def unseen_digits(tmp_path_factory):
    """The folder of records of seven digits, and of pairs of them and of the three others."""
    folder = tmp_path_factory.mktemp('digits')
    train, seen, unseen = divide(SOURCES['digits'].read(folder), 0, 200)
    write_records(folder / 'train.rec', train)
    write_pairs(folder / 'seen.npz', seen, 50, 0)
    write_pairs(folder / 'unseen.npz', unseen, 150, 0)
    return folder


def test_digits_are_divided(unseen_digits):
    pairs = open_verification_set(unseen_digits / 'unseen.npz')
    assert len(RecordFile(unseen_digits / 'train.rec')) == 946
    assert (len(pairs), len(pairs.pairs), int(pairs.same.sum()), pairs.folds) == (532, 3000, 1500, 10)
    assert pairs.load(0).shape == (8, 8, 3)


@pytest.mark.slow
def test_digits_that_were_never_trained_on_are_verified(unseen_digits, cbam, tmp_path):
    """With the weights of a training, well above chance, and above the same network with random weights."""
    one = {'OMP_NUM_THREADS': '1'}
    trained = cbam(
        'train', '--task', 'faces', *NETWORK, '--head', 'cosface', '--scale', 16, '--image-size', 8, '--crop-ratio', 1,
        '--augment', 'none', '--batch-size', 32, '--lr', 0.05, '--lr-mode', 'cosine', '--epochs', 6, '--wd', 5e-4,
        '--data-train', unseen_digits / 'train.rec', '--data-val', unseen_digits / 'seen.npz',
        '--output', tmp_path / 'run', env=one,
    )  # fmt: skip
    assert trained.returncode == 0, trained.stderr
    mx.random.seed(0)
    untrained = gluon_cbam.get_model('cbamnet_tiny', embedding=32, image_size=8)
    untrained.initialize()
    untrained.save_parameters(str(tmp_path / 'random.params'))

    def verified(*weights):
        done = cbam('faces', 'verify', unseen_digits / 'unseen.npz', '--no-flip', '--json', *weights, env=one)
        assert done.returncode == 0, done.stderr
        (found,) = json.loads(done.stdout)['sets']
        assert found['pairs'] == 3000
        return found

    ours = verified('--params', tmp_path / 'run')
    theirs = verified('--params', tmp_path / 'random.params', *NETWORK, '--image-size', 8, '--crop-ratio', 1)
    assert ours['accuracy'] > 0.7
    assert ours['auc'] > 0.78
    assert ours['auc'] > theirs['auc'] + 0.02
