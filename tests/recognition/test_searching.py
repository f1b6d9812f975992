"""Search and comparison of faces."""

import json

import numpy as np
import pytest
from embedding_stub import embedding, stub_encoder, write_people

from gluon_cbam.cli.commands import faces_compare
from gluon_cbam.common.errors import DataError, DependencyError
from gluon_cbam.data.decoding import decode
from gluon_cbam.data.sources.images import image_file, open_images
from gluon_cbam.recognition import embedding_files, searching
from gluon_cbam.recognition.comparing import Threshold, compare_images, threshold_of_figures
from gluon_cbam.recognition.embedding_files import read_embeddings
from gluon_cbam.recognition.embedding_run import embed_images
from gluon_cbam.recognition.origins import check_origins
from gluon_cbam.recognition.searching import search


@pytest.fixture(scope='module')
def vectors(tmp_path_factory):
    """A plain file of 500 embeddings, and 7 queries."""
    random = np.random.RandomState(0)
    path = tmp_path_factory.mktemp('vectors') / 'plain.npy'
    np.save(path, random.randn(500, 12).astype(np.float32))
    return read_embeddings(path), random.randn(7, 12)


def by_hand(file, queries):
    unit = lambda rows: rows / np.linalg.norm(rows, axis=1, keepdims=True)  # noqa: E731
    return unit(queries) @ unit(np.asarray(file.embeddings, float)).T


@pytest.mark.parametrize('engine', ['numpy', 'faiss'])
@pytest.mark.parametrize('top, block', [(1, 500), (10, 64), (10, 3), (600, 100)])
def test_the_nearest_are_found(vectors, engine, top, block, monkeypatch):
    if engine == 'faiss':
        pytest.importorskip('faiss')
    file, queries = vectors
    monkeypatch.setattr(embedding_files, 'BLOCK', block)
    rows, similarities, used = search(file, queries, top, engine)
    scores = by_hand(file, queries)
    expected = np.argsort(-scores, axis=1)[:, :top]
    assert used == engine
    np.testing.assert_array_equal(rows, expected)
    np.testing.assert_allclose(similarities, np.take_along_axis(scores, expected, axis=1), atol=1e-6)


def test_faiss_that_is_not_installed(vectors, monkeypatch):
    from gluon_cbam.common import packages

    for module in (searching, packages):
        monkeypatch.setattr(module, 'is_installed', lambda name: False)
    assert search(*vectors, 3)[2] == 'numpy'
    with pytest.raises(DependencyError, match='faiss is not installed'):
        search(*vectors, 3, 'faiss')


def test_embeddings_of_norm_zero_are_named(tmp_path):
    values = np.ones((5, 3))
    values[3] = 0
    np.save(tmp_path / 'plain.npy', values)
    with pytest.raises(DataError, match='row#3 in .*plain.npy has norm zero'):
        search(read_embeddings(tmp_path / 'plain.npy'), np.ones((1, 3)), 1)


@pytest.fixture(scope='module')
def people(tmp_path_factory):
    folder = tmp_path_factory.mktemp('people')
    write_people(folder / 'faces', people=3, images=3, noise=60)
    embed_images(stub_encoder(), open_images([str(folder / 'faces')]), folder / 'faces.npz')
    return folder


def test_the_similarity_is_that_of_the_embeddings(people):
    paths = [people / 'faces' / 'person0' / '0.png', people / 'faces' / 'person1' / '2.png']
    first, second = (embedding(decode(path.read_bytes(), '')) for path in paths)
    cosine = first @ second / np.linalg.norm(first) / np.linalg.norm(second)
    found = compare_images(stub_encoder(), *(image_file(str(path)) for path in paths))
    assert found.similarity == pytest.approx(cosine, abs=1e-6)
    assert found.distance == pytest.approx(2 - 2 * cosine, abs=1e-6)
    assert found.same is None, 'no decision without a threshold'
    assert found.norms == pytest.approx([np.linalg.norm(first), np.linalg.norm(second)], rel=1e-5)
    for limit, same in ((float(cosine) - 0.01, True), (float(cosine) + 0.01, False)):
        images = [image_file(str(path)) for path in paths]
        assert compare_images(stub_encoder(), *images, Threshold(limit, 'mine')).same is same


def test_the_threshold_of_a_card():
    found = threshold_of_figures({'lfw_threshold': 1.2, 'cfp_threshold': 1.4, 'accuracy': 0.9}, 'the card of x')
    assert found.similarity == pytest.approx(1 - 1.3 / 2)
    assert found.source == 'lfw_threshold, cfp_threshold of the card of x'
    assert threshold_of_figures({'accuracy': 0.9}, 'x') is None


@pytest.mark.parametrize('name', ['params_sha256', 'network', 'preprocessing', 'flip'])
def test_embeddings_of_another_origin_are_refused(people, name):
    file, origin = read_embeddings(people / 'faces.npz'), stub_encoder().origin
    check_origins(file, origin, 'the network')
    for other in ({**origin, name: 'other'}, {**origin, name: None}):
        with pytest.raises(DataError, match=name):
            check_origins(file, other, 'the network')
        check_origins(file, other, 'the network', ignore=True)


@pytest.fixture
def stubbed(monkeypatch):
    """Commands use the stub, whatever the options name."""
    chosen = {}
    monkeypatch.setattr(faces_compare, 'open_encoder', lambda **options: (stub_encoder(**chosen), None))
    return chosen


def test_the_command_searches(cbam_here, people, stubbed):
    query = people / 'faces' / 'person2' / '1.png'
    found = cbam_here('faces', 'search', query, '--embeddings', people / 'faces.npz', '--top-k', 2, '--json')
    assert found.returncode == 0, found.stderr
    (image,) = json.loads(found.stdout)['images']
    assert (image['results'][0]['file'], image['results'][0]['label']) == (str(query), 'person2')
    assert image['results'][0]['similarity'] == pytest.approx(1, abs=1e-6)
    assert len(image['results']) == 2
    stubbed['params_sha256'] = 'b' * 64
    refused = cbam_here('faces', 'search', query, '--embeddings', people / 'faces.npz')
    assert (refused.returncode, refused.stderr.count('\n')) == (4, 1)
    assert '--ignore-weights' in refused.stderr
    assert cbam_here('faces', 'search', query, '--embeddings', people / 'faces.npz', '--ignore-weights').returncode == 0


def test_a_file_of_another_size_is_refused(cbam_here, people, stubbed, tmp_path):
    np.save(tmp_path / 'plain.npy', np.ones((4, 5)))
    query = people / 'faces' / 'person2' / '1.png'
    found = cbam_here('faces', 'search', query, '--embeddings', tmp_path / 'plain.npy', '--ignore-weights')
    assert (found.returncode, found.stderr.count('\n')) == (4, 1)
    assert 'has embeddings of 5 numbers, the network of 6' in found.stderr


def test_the_command_compares(cbam_here, people, stubbed):
    pair = [people / 'faces' / 'person0' / '0.png', people / 'faces' / 'person0' / '1.png']
    assert '(no threshold, no decision)' in cbam_here('faces', 'compare', *pair).stdout
    value = json.loads(cbam_here('faces', 'compare', *pair, '--json').stdout)
    assert (value['same'], value['threshold']) == (None, None)
    found = json.loads(cbam_here('faces', 'compare', *pair, '--threshold', 3.9, '--json').stdout)
    assert (found['same'], found['threshold']) == (True, pytest.approx(1 - 3.9 / 2))
    found = cbam_here('faces', 'compare', *pair, '--threshold', 1, '--distance', 'cosine').stdout
    assert 'different persons' in found
    bad = cbam_here('faces', 'compare', *pair, '--threshold', 1.2, '--distance', 'cosine')
    assert (bad.returncode, bad.stderr.count('\n')) == (2, 1)
    write_people(people / 'larger', people=1, images=1, size=12)
    assert not cbam_here('faces', 'compare', *pair).stderr
    larger = cbam_here('faces', 'compare', people / 'larger' / 'person0' / '0.png', pair[0])
    assert '1 of 2 images are not 8 x 8 and were resized' in larger.stderr
    several = cbam_here('faces', 'compare', people / 'faces', pair[0])
    assert (several.returncode, several.stderr.count('\n')) == (2, 1)
    missing = cbam_here('faces', 'compare', 'nowhere.png', pair[0])
    assert (missing.returncode, missing.stderr.count('\n')) == (2, 1)
