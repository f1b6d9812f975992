"""Files of embeddings: their contents, bad input, and runs that are stopped, killed and continued."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import embedding_stub
import numpy as np
import pytest
from embedding_stub import stub_encoder, write_people

from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.data.decoding import decode
from gluon_cbam.data.sources.images import open_images
from gluon_cbam.recognition.embedding_files import read_embeddings
from gluon_cbam.recognition.embedding_run import embed_images

ENDINGS = ['.npy', '.npz', '.csv']


@pytest.fixture(scope='module')
def people(tmp_path_factory):
    folder = tmp_path_factory.mktemp('people') / 'faces'
    write_people(folder)
    return folder


def environment():
    return {**os.environ, 'PYTHONPATH': str(Path(embedding_stub.__file__).parents[1])}


def run(people, output, **settings):
    options = {name: settings.pop(name) for name in ('normalized', 'overwrite', 'part_images') if name in settings}
    return embed_images(stub_encoder(**settings), open_images([str(people)]), output, **{'part_images': 8, **options})


@pytest.mark.parametrize('ending', ENDINGS)
@pytest.mark.parametrize('flip, normalized', [(True, True), (False, False)])
def test_a_file_has_the_embeddings_names_and_labels(people, tmp_path, ending, flip, normalized):
    written = run(people, tmp_path / f'faces{ending}', flip=flip, normalized=normalized)
    found = read_embeddings(tmp_path / f'faces{ending}')
    files = sorted(people.glob('*/*.png'))
    assert [image.name for image in found.images] == [str(path) for path in files]
    assert found.labels.tolist() == [path.parent.name for path in files]
    expected = np.stack([embedding_stub.embedding(decode(path.read_bytes(), ''), flip) for path in files])
    norms = np.linalg.norm(expected, axis=1)
    np.testing.assert_allclose(found.norms, norms, rtol=1e-5)
    np.testing.assert_allclose(found.embeddings, expected / norms[:, None] if normalized else expected, rtol=1e-4)
    assert found.embeddings.dtype == np.float32
    assert (found.about['flip'], found.about['normalized'], found.about['network']) == (flip, normalized, 'stub')
    assert written.summary.norms == pytest.approx(norms.sum(), rel=1e-5)
    assert not list(tmp_path.glob('*.parts'))


def test_the_formats_have_the_same_values(people, tmp_path):
    found = []
    for ending in ENDINGS:
        run(people, tmp_path / f'{ending[1:]}{ending}')
        found.append(read_embeddings(tmp_path / f'{ending[1:]}{ending}'))
    for each in found[1:]:
        np.testing.assert_array_equal(each.embeddings, found[0].embeddings)
        np.testing.assert_array_equal(each.norms, found[0].norms)
        assert (each.images, each.labels.tolist(), each.about) == (
            found[0].images, found[0].labels.tolist(), found[0].about,
        )  # fmt: skip


def contents(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.mark.parametrize(
    'ending, number',
    [*((ending, signal.SIGKILL) for ending in ENDINGS), ('.npz', signal.SIGTERM), ('.csv', signal.SIGINT)],
)
def test_a_run_that_was_stopped_gives_the_same_bytes(people, tmp_path, ending, number):
    (tmp_path / 'whole').mkdir()
    (tmp_path / 'stopped').mkdir()
    run(people, tmp_path / 'whole' / f'faces{ending}')
    output = tmp_path / 'stopped' / f'faces{ending}'
    command = [
        sys.executable,
        embedding_stub.__file__,
        str(people),
        str(output),
        '10',
    ]  # two images into the second part
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment()
    ) as process:
        assert process.stdout.readline() == 'waiting\n'
        process.send_signal(number)
        rest = process.communicate('\n')[0]
    assert process.returncode == (-9 if number == signal.SIGKILL else 128 + number)
    assert not output.exists(), 'nothing is half-written'
    done = 8 if number == signal.SIGKILL else 12
    assert number == signal.SIGKILL or f'stopped after {done} images' in rest
    assert run(people, output).continued == done
    assert contents(tmp_path / 'stopped') == contents(tmp_path / 'whole')


@pytest.fixture
def stopped(people, tmp_path):
    """The output of a run that ended after its first part, since an embedding was not finite."""

    def outputs(rows, left=[2]):  # noqa: B006 (counts the batches)
        left[0] -= 1
        return rows @ embedding_stub.MATRIX * (1 if left[0] >= -2 else np.nan)

    with pytest.raises(DataError, match='is not finite'):
        run(people, tmp_path / 'faces.npz', outputs=outputs)
    assert (tmp_path / 'faces.npz.parts' / '000000000000.npz').exists()
    return tmp_path / 'faces.npz'


def test_what_failed_is_continued(people, stopped):
    assert run(people, stopped).continued == 8


@pytest.mark.parametrize(
    'settings, text',
    [
        ({'flip': False}, 'flip True instead of False'),
        ({'batch_size': 2}, 'batch_size 4 instead of 2'),
        ({'params_sha256': 'b' * 64}, 'params_sha256'),
        ({'normalized': False}, 'normalized True instead of False'),
    ],
)
def test_parts_of_another_run_are_not_continued(people, stopped, settings, text):
    with pytest.raises(UsageError, match=text):
        run(people, stopped, **settings)
    assert run(people, stopped, overwrite=True, **settings).continued == 0


def test_images_that_changed_are_not_continued(tmp_path):
    paths = write_people(tmp_path / 'faces')
    output = tmp_path / 'faces.npz'
    zero = lambda rows: rows @ embedding_stub.MATRIX * (rows.sum() > 0)  # noqa: E731
    paths[13].write_bytes(black())
    with pytest.raises(DataError, match=r'the embedding of .*person2/3.png has norm zero'):
        run(tmp_path / 'faces', output, outputs=zero, batch_size=1)
    os.utime(paths[3], (1, 1))
    with pytest.raises(UsageError, match='images 0 to 7 are not those'):
        run(tmp_path / 'faces', output, batch_size=1)


def black():
    import cv2

    return cv2.imencode('.png', np.zeros((8, 8, 3), np.uint8))[1].tobytes()


def test_images_that_cannot_be_read_are_left_out_and_named(tmp_path):
    paths = write_people(tmp_path / 'faces')
    paths[2].write_bytes(b'no image')
    written = run(tmp_path / 'faces', tmp_path / 'faces.npz')
    assert [name for name, _ in written.summary.errors] == [str(paths[2])]
    assert (written.summary.images, written.summary.readable) == (20, 19)
    assert str(paths[2]) not in [image.name for image in read_embeddings(tmp_path / 'faces.npz').images]


def test_images_of_another_size_are_counted(tmp_path):
    write_people(tmp_path / 'faces', people=2, size=12)
    summary = run(tmp_path / 'faces', tmp_path / 'faces.npz').summary
    assert summary.resized == 10
    assert summary.first_resized == (str(tmp_path / 'faces' / 'person0' / '0.png'), 12, 12)


def test_a_file_that_exists_is_kept(people, tmp_path):
    (tmp_path / 'faces.names.csv').write_text('mine')
    with pytest.raises(UsageError, match='faces.names.csv exists'):
        run(people, tmp_path / 'faces.npy')
    assert (tmp_path / 'faces.names.csv').read_text() == 'mine'


def test_arrays_of_other_programs_have_numbers_for_names(tmp_path):
    np.save(tmp_path / 'plain.npy', np.eye(3))
    np.savez(tmp_path / 'plain.npz', embeddings=np.eye(3))
    for ending in ('.npy', '.npz'):
        found = read_embeddings(tmp_path / f'plain{ending}')
        assert ([image.name for image in found.images], found.about) == (['row#0', 'row#1', 'row#2'], {})


@pytest.mark.parametrize(
    'name, content, text',
    [
        ('flat.npy', np.ones(3), r'shape \(3,\)'),
        ('whole.npy', np.ones((3, 2), int), 'int64'),
        ('objects.npy', np.array([[{}]]), 'not a .npy file'),
        ('empty.npy', np.ones((0, 4)), r'shape \(0, 4\)'),
        ('text.npy', b'hello', 'not a .npy file'),
        ('text.csv', b'a,b\n1,2\n', 'its first line'),
        ('cell.csv', b'file,number,label,norm,e0\na,,b,1,x\n', 'line 2 is no embedding'),
        ('long.csv', b'file,number,label,norm,e0\n' + 200_000 * b'a' + b',,b,1,1\n', r'no CSV \(field larger'),
        ('text.npz', b'PK', 'not an .npz file'),
    ],
)
def test_damaged_files(tmp_path, name, content, text):
    path = tmp_path / name
    path.write_bytes(content) if isinstance(content, bytes) else np.save(path, content)
    with pytest.raises(DataError, match=text):
        read_embeddings(path)


@pytest.mark.parametrize(
    'changes, text',
    [
        ({'embeddings': np.array(1.0)}, r'no embeddings|0 embeddings'),
        ({'embeddings': np.ones((3, 2), np.longdouble)}, 'no embeddings'),
        ({'labels': np.array('a')}, r'3 embeddings, but labels of shape \(\)'),
        ({'labels': np.array([['a'] * 2] * 3)}, r'labels of shape \(3, 2\)'),
        ({'norms': np.array(1.0)}, r'norms of shape \(\)'),
        ({'norms': np.array(list('abc'))}, 'norms of <U1'),
        ({'norms': np.full(3, np.nan)}, 'not finite'),
        ({'norms': np.ones(3, complex)}, 'complex128'),
        ({'numbers': np.array([0.5, 1, 2])}, 'numbers is float64'),
        ({'files': np.array([['a'] * 2] * 3)}, r'files is <U1 of shape \(3, 2\)'),
    ],
)
def test_damaged_archives(tmp_path, changes, text):
    arrays = {
        'embeddings': np.ones((3, 2), np.float32), 'files': np.array(list('abc')), 'labels': np.array(list('xyz')),
        'numbers': np.full(3, -1), 'norms': np.ones(3, np.float32), 'about': np.array('{}'),
    }  # fmt: skip
    np.savez(tmp_path / 'faces.npz', **arrays)
    assert read_embeddings(tmp_path / 'faces.npz').norms.tolist() == [1, 1, 1]
    np.savez(tmp_path / 'faces.npz', **{**arrays, **changes})
    with pytest.raises(DataError, match=text):
        read_embeddings(tmp_path / 'faces.npz')


def test_names_that_do_not_fit_their_embeddings(people, tmp_path):
    run(people, tmp_path / 'faces.npy')
    np.save(tmp_path / 'faces.npy', np.ones((3, 6), np.float32))
    with pytest.raises(DataError, match='3 embeddings, but 20 names'):
        read_embeddings(tmp_path / 'faces.npy')


def test_names_that_a_spreadsheet_takes_for_formulas_come_back(tmp_path):
    write_people(tmp_path / '=1+1', people=1, images=2)
    before = os.getcwd()
    os.chdir(tmp_path)
    try:
        run('=1+1', Path('faces.csv'))
    finally:
        os.chdir(before)
    assert "'=1+1/person0/0.png" in (tmp_path / 'faces.csv').read_text()
    assert read_embeddings(tmp_path / 'faces.csv').images[0].file == '=1+1/person0/0.png'


@pytest.mark.slow
def test_the_command_embeds_with_an_exported_file_and_with_devices(cbam_here, tmp_path):
    """The same embeddings from mxnet and from ONNX Runtime, of a network without a task."""
    import mxnet as mx

    import gluon_cbam

    net = gluon_cbam.get_model('modified_cbamnet18', embedding=8, image_size=32)
    mx.random.seed(1)
    net.initialize(mx.init.Xavier())
    net(mx.nd.zeros((1, 3, 32, 32)))
    net.save_parameters(str(tmp_path / 'net.params'))
    write_people(tmp_path / 'faces', people=2, images=2, size=32)
    network = ['--network', 'modified_cbamnet18', '--params', tmp_path / 'net.params', '--image-size', 32]
    network += ['--option', 'embedding=8', '--option', 'image_size=32']
    found = cbam_here('faces', 'embed', tmp_path / 'faces', '-o', tmp_path / 'a.npz', *network, '--json')
    assert (found.returncode, json.loads(found.stdout)['embeddings']) == (0, 4), found.stderr
    assert cbam_here('export', *network, '-o', tmp_path / 'net.onnx').returncode == 0
    found = cbam_here(
        'faces', 'embed', tmp_path / 'faces', '-o', tmp_path / 'b.npz', '--exported', tmp_path / 'net.onnx'
    )
    assert found.returncode == 0, found.stderr
    first, second = (read_embeddings(tmp_path / f'{name}.npz') for name in 'ab')
    np.testing.assert_allclose(first.embeddings, second.embeddings, atol=1e-4)
    assert first.about == second.about
    without = "import sys; sys.modules['mxnet'] = None; from gluon_cbam.cli.main import cli; cli(sys.argv[1:])"
    with open(tmp_path / 'pairs.csv', 'w') as file:
        for number in range(12):
            file.write(f'person{number % 2}/0.png,person{number // 2 % 2}/1.png,{int(number % 2 == number // 2 % 2)}\n')
    exported = ['--exported', str(tmp_path / 'net.onnx'), '--json']
    images = [str(path) for path in sorted((tmp_path / 'faces').glob('*/*.png'))]
    for words in (
        ['embed', *images, '-o', str(tmp_path / 'c.npy')],
        ['verify', str(tmp_path / 'pairs.csv'), '--pictures', str(tmp_path / 'faces')],
        ['compare', *images[:2]],
        ['search', images[0], '--embeddings', str(tmp_path / 'b.npz')],
    ):
        command = [sys.executable, '-c', without, 'faces', *words, *exported]
        done = subprocess.run(command, capture_output=True, text=True, env=environment(), check=False)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)


def test_networks_of_classes_give_no_embeddings(cbam_here, people):
    found = cbam_here('faces', 'embed', people, '-o', people.parent / 'x.npz', '--pretrained', 'cbamnet_tiny')
    assert (found.returncode, found.stderr.count('\n')) == (2, 1)
    assert 'gives logits of 10 classes, no embeddings' in found.stderr
