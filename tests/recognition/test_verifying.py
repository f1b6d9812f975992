"""Verification of sets and of files of embeddings, and its report."""

import base64
import csv
import itertools
import json
from dataclasses import replace

import cv2
import embedding_stub
import numpy as np
import pytest
from embedding_stub import stub_encoder, write_people
from html_pages import checked_page
from sklearn.metrics import roc_auc_score

from gluon_cbam.common.errors import DataError
from gluon_cbam.data.decoding import decode
from gluon_cbam.data.faces.verification_sets import open_verification_set
from gluon_cbam.data.sources.images import open_images
from gluon_cbam.recognition.embedding_files import read_embeddings
from gluon_cbam.recognition.embedding_run import embed_images
from gluon_cbam.recognition.report.verification_page import report_files, write_report
from gluon_cbam.recognition.report.worst import worst_pairs
from gluon_cbam.recognition.verification import verify_file, verify_set


@pytest.fixture(scope='module')
def people(tmp_path_factory):
    """A folder of persons whose images differ much, and a list of pairs."""
    folder = tmp_path_factory.mktemp('people') / 'faces'
    write_people(folder, people=8, images=4, noise=110)
    random = np.random.RandomState(1)
    rows = [
        (f'person{p}/{i}.png', f'person{p}/{j}.png', 1)
        for p in range(8)
        for i, j in itertools.combinations(range(4), 2)
    ]
    for _ in range(len(rows)):
        first, second = random.choice(8, 2, replace=False)
        rows.append((f'person{first}/{random.randint(4)}.png', f'person{second}/{random.randint(4)}.png', 0))
    with open(folder / 'pairs.csv', 'w', newline='') as file:
        csv.writer(file).writerows(rows[number] for number in random.permutation(len(rows)))
    return folder


def by_hand(people, flip):
    """Squared distances and the truth of the pairs."""
    with open(people / 'pairs.csv', newline='') as file:
        rows = list(csv.reader(file))
    vector = {
        name: embedding_stub.embedding(decode((people / name).read_bytes(), ''), flip)
        for row in rows
        for name in row[:2]
    }
    unit = {name: value / np.linalg.norm(value) for name, value in vector.items()}
    return np.array([np.sum((unit[a] - unit[b]) ** 2) for a, b, _ in rows]), np.array([row[2] == '1' for row in rows])


@pytest.mark.parametrize('flip', [True, False])
@pytest.mark.parametrize('batch_size', [1, 5, 64])
def test_the_distances_are_those_of_the_images(people, flip, batch_size):
    distances, same = by_hand(people, flip)
    found = verify_set(stub_encoder(flip, batch_size), open_verification_set(people))
    np.testing.assert_allclose(found.distances, distances, atol=1e-5)
    np.testing.assert_array_equal(found.same, same)
    assert found.scores.auc == pytest.approx(roc_auc_score(same, -distances), abs=1e-3)
    assert 0.5 < found.scores.auc < 1, 'the sample has errors'


def test_the_mean_norm_is_that_of_both_views(people):
    paths = sorted(people.glob('*/*.png'))
    pixels = [decode(path.read_bytes(), '') for path in paths]
    views = [embedding_stub.embedding(view, False) for each in pixels for view in (each, each[:, ::-1])]
    used = verify_set(stub_encoder(), open_verification_set(people))
    assert used.images == len(paths), 'the list uses every image'
    assert used.mean_norm == pytest.approx(np.mean([np.linalg.norm(view) for view in views]), rel=1e-5)


def test_every_image_is_embedded_once(people):
    rows = []

    def outputs(batch):
        rows.extend(batch)
        return batch @ embedding_stub.MATRIX

    verify_set(stub_encoder(False, 5, outputs=outputs), open_verification_set(people))
    assert len({row.tobytes() for row in rows if row.any()}) == sum(row.any() for row in rows) == 32


def test_a_file_of_embeddings_gives_the_figures_of_its_network(people, tmp_path):
    embed_images(stub_encoder(), open_images([str(people)]), tmp_path / 'faces.npy')
    found = verify_file(read_embeddings(tmp_path / 'faces.npy'), people / 'pairs.csv')
    direct = verify_set(stub_encoder(), open_verification_set(people))
    np.testing.assert_allclose(found.distances, direct.distances, atol=1e-6)
    assert found.scores.accuracy == direct.scores.accuracy
    assert found.image_name(int(found.pairs[0, 0])) == direct.image_name(int(direct.pairs[0, 0]))


@pytest.mark.parametrize(
    'name, text', [('person0/9.png', 'has no image'), ('0.png', 'has several images'), ('other/0.png', 'no image')]
)
def test_pairs_of_images_that_are_not_there(people, tmp_path, name, text):
    embed_images(stub_encoder(), open_images([str(people)]), tmp_path / 'faces.npz')
    (tmp_path / 'pairs.csv').write_text(f'person0/1.png,{name},1\n')
    with pytest.raises(DataError, match=rf'pairs.csv names {name}, but .*faces.npz.* {text}'):
        verify_file(read_embeddings(tmp_path / 'faces.npz'), tmp_path / 'pairs.csv')


def test_an_embedding_of_norm_zero_is_named(people):
    with pytest.raises(DataError, match=r'the embedding of .*\.png has norm zero'):
        verify_set(stub_encoder(outputs=lambda rows: 0 * rows @ embedding_stub.MATRIX), open_verification_set(people))


def test_the_worst_pairs_are_the_furthest_on_the_wrong_side(people):
    found = verify_set(stub_encoder(), open_verification_set(people))
    accepts, rejects = worst_pairs(found, False, 5), worst_pairs(found, True, 5)
    assert [pair.similarity for pair in accepts] == sorted(found.similarities[~found.same])[:-6:-1]
    assert [pair.similarity for pair in rejects] == sorted(found.similarities[found.same])[:5]
    for pair in (*accepts, *rejects):
        assert pair.wrong == ((found.distances[pair.number] < found.threshold) != found.same[pair.number])
        assert pair.names[0] == found.image_name(int(found.pairs[pair.number, 0]))


def test_the_report_has_every_figure_and_picture(people, tmp_path):
    found = verify_set(stub_encoder(), open_verification_set(people))
    page = write_report([found, found], {'network': '<stub>'}, tmp_path / 'report', False)
    text = page.read_text()
    assert '&lt;stub&gt;' in text and '<stub>' not in text
    (table,) = checked_page(text).tables
    assert table[0] == ['figure', 'pairs', 'pairs']
    rows = {name: value for name, value, _ in table[1:]}
    assert rows['accuracy'].startswith(f'{100 * found.scores.accuracy:.2f} %')
    assert rows['EER'].startswith(f'{100 * found.scores.eer:.2f} %')
    files = report_files(['pairs', 'pairs'], tmp_path / 'report')
    assert sorted(files) == sorted((tmp_path / 'report').iterdir())
    stored = {path.read_bytes() for path in files[1:]}
    assert {base64.b64decode(source.partition('base64,')[2]) for source in checked_page(text).images} == stored
    for path in files[1:]:
        assert cv2.imread(str(path)).std() > 5


def test_names_of_sets_are_text_in_a_page(people, tmp_path):
    name = '<b>&amp;"\'x'
    found = replace(verify_set(stub_encoder(), open_verification_set(people)), name=name, load=None)
    page = checked_page(write_report([found], {name: name}, tmp_path / 'report', False).read_text())
    assert ''.join(page.titles) == f'Verification: {name}'
    assert page.tables[0][0] == ['figure', name]


@pytest.mark.parametrize(
    ('before', 'after', 'message'),
    [
        ('</table>', '', 'img inside table'), ('</td>', '</th>', 'of nothing that is open'),
        ('alt="x"', '', 'without'), ('AUC', 'A & C', 'not escaped'), ('<td>1</td>', '', 'different lengths'),
        ('<title>T</title>', '', 'no title'), ('<tbody>', '<tbody>loose', 'text inside'),
        ('src="data:"', 'src="data:" alt="y"', 'twice'), ('<h1>', '<td>', 'inside body'),
    ],
)  # fmt: skip
def test_the_check_of_pages_finds_mistakes(before, after, message):
    page = (
        '<!DOCTYPE html><html lang="en"><head><title>T</title></head><body><h1>T</h1><p>&lt;<table><thead><tr><th>AUC'
        '<th>b</thead><tbody><tr><td>0</td><td>1</td></tr></tbody></table><img alt="x" src="data:"></body></html>'
    )
    assert checked_page(page).tables == [[['AUC', 'b'], ['0', '1']]]
    assert before in page
    with pytest.raises(AssertionError, match=message):
        checked_page(page.replace(before, after, 1))


def test_the_command_writes_a_report_and_thresholds_in_the_unit(cbam_here, people, tmp_path):
    embed_images(stub_encoder(), open_images([str(people)]), tmp_path / 'faces.npz')
    values = {}
    for distance in ('euclidean', 'cosine'):
        found = cbam_here(
            'faces', 'verify', '--embeddings', tmp_path / 'faces.npz', '--pairs', people / 'pairs.csv',
            '--distance', distance, *(['--output', tmp_path / distance] if distance == 'cosine' else []), '--json',
        )  # fmt: skip
        assert found.returncode == 0, found.stderr
        (values[distance],) = json.loads(found.stdout)['sets']
    assert (tmp_path / 'cosine' / 'report.html').exists()
    first, second = values['euclidean'], values['cosine']
    np.testing.assert_allclose(second['thresholds'], 1 - np.array(first['thresholds']) / 2)
    assert second['tar_at']['1e-01']['threshold'] == pytest.approx(1 - first['tar_at']['1e-01']['threshold'] / 2)
    assert (first['accuracy'], first['tar_at']['1e-02']['tar']) == (
        second['accuracy'],
        second['tar_at']['1e-02']['tar'],
    )
    again = cbam_here(
        'faces', 'verify', '--embeddings', tmp_path / 'faces.npz', '--pairs', people / 'pairs.csv',
        '--output', tmp_path / 'cosine',
    )  # fmt: skip
    assert (again.returncode, again.stderr.count('\n')) == (2, 1)
    assert 'report.html exists' in again.stderr


@pytest.mark.parametrize(
    'arguments, text',
    [
        ([], 'give verification sets and a network'),
        (['lfw.bin', '--embeddings', 'x.npz', '--pairs', 'p.csv'], 'give verification sets and a network'),
        (['--embeddings', 'x.npz'], '--pairs'),
        (['--embeddings', 'x.npz', '--pairs', 'p.csv', '--pretrained'], 'leave --params'),
        (['nowhere.bin', '--pretrained', 'x'], "no verification set 'nowhere.bin'"),
    ],
)
def test_what_does_not_go_together(cbam_here, arguments, text):
    found = cbam_here('faces', 'verify', *arguments)
    assert (found.returncode, found.stderr.count('\n')) == (2, 1)
    assert text in found.stderr


@pytest.mark.parametrize('ending', ['.bin', '.npz'])
def test_sets_that_hold_their_images_give_the_figures_of_the_folder(people, tmp_path, ending):
    """Pictures of a .bin are two for each pair, so that they occur several times; those of a .npz are there once."""
    from gluon_cbam.data.faces.archived_sets import write_archived
    from gluon_cbam.data.faces.pickled_sets import write_pickled

    folder = open_verification_set(people)
    pictures = [folder.pictures[number] for number in range(len(folder))]
    if ending == '.bin':
        flat = [pictures[number] for number in folder.pairs.ravel()]
        write_pickled(tmp_path / f'set{ending}', flat, folder.same, protocol=2)
    else:
        write_archived(tmp_path / f'set{ending}', pictures, folder.pairs, folder.same)
    found = verify_set(stub_encoder(), open_verification_set(tmp_path / f'set{ending}'))
    np.testing.assert_allclose(found.distances, verify_set(stub_encoder(), folder).distances, atol=1e-9)
    assert found.images == (2 * len(folder.same) if ending == '.bin' else len(pictures))


def test_devices_and_batches_do_not_change_embeddings(people):
    """A classification network with an embedding, on one, two and three contexts."""
    import mxnet as mx

    from gluon_cbam.inference.network import load_network
    from gluon_cbam.recognition.encoder import encoder_on_devices

    found = []
    for devices, batch_size in ((1, 5), (2, 4), (3, 32)):
        ctx = [mx.cpu(number) for number in range(devices)]
        mx.random.seed(4)
        network = load_network('cbamnet_tiny', ctx, options={'embedding': 7}, image_size=32)
        encoder = encoder_on_devices(network, ctx, batch_size=batch_size, workers=2)
        found.append(verify_set(encoder, open_verification_set(people)))
    for each in found:
        np.testing.assert_allclose(each.distances, found[0].distances, atol=1e-4)
        assert (each.images, each.resized) == (32, 32)
    assert found[0].distances.max() > 1e-3
