"""Identification and templates, from files of embeddings and from images."""

import csv
import json

import cv2
import embedding_stub
import numpy as np
import pytest
from embedding_stub import stub_encoder, write_people

from gluon_cbam.common.errors import DataError
from gluon_cbam.data.sources.images import open_images
from gluon_cbam.recognition.embedding_files import read_embeddings
from gluon_cbam.recognition.embedding_run import embed_images
from gluon_cbam.recognition.identifying import identify, labelled_file, labelled_images, labelled_templates
from gluon_cbam.recognition.templates import pool_templates, read_template_pairs, read_templates
from gluon_cbam.recognition.verification import verify_templates


@pytest.fixture(scope='module')
def people(tmp_path_factory):
    """Images of 6 persons in a gallery, and of these and 2 more among the probes; the embeddings of both, raw."""
    folder = tmp_path_factory.mktemp('people')
    write_people(folder / 'all', people=8, images=5, noise=90)
    for side, persons, numbers in (('gallery', range(6), (0, 1)), ('probes', range(8), (2, 3, 4))):
        for person in persons:
            (folder / side / f'person{person}').mkdir(parents=True)
            for number in numbers:
                source = folder / 'all' / f'person{person}' / f'{number}.png'
                (folder / side / f'person{person}' / f'{number}.png').write_bytes(source.read_bytes())
        embed_images(stub_encoder(), open_images([str(folder / side)]), folder / f'{side}.npz', normalized=False)
    embed_images(stub_encoder(), open_images([str(folder / 'all')]), folder / 'all.npz', normalized=False)
    return folder


def by_hand(people):
    """Rank of each probe of a known person."""
    gallery, probes = (read_embeddings(people / f'{side}.npz') for side in ('gallery', 'probes'))
    ranks = []
    for probe, person in zip(probes.embeddings, probes.labels):
        cosines = gallery.embeddings @ probe / np.linalg.norm(gallery.embeddings, axis=1)
        best = {each: cosines[gallery.labels == each].max() for each in np.unique(gallery.labels)}
        if person in best:
            ranks.append(sum(score >= best[person] for score in best.values()))
    return np.array(ranks)


def test_files_and_images_give_the_ranks(people):
    ranks = by_hand(people)
    files = [labelled_file(read_embeddings(people / f'{side}.npz')) for side in ('gallery', 'probes')]
    images = [
        labelled_images(stub_encoder(), open_images([str(people / side)]), side)[0] for side in ('gallery', 'probes')
    ]
    for sides in (files, images, (files[0], images[1])):
        found = identify(*sides)
        assert found.scores.rank1 == pytest.approx(np.mean(ranks == 1))
        assert found.scores.cmc == pytest.approx([np.mean(ranks <= limit) for limit in range(1, 7)])
        assert (found.scores.known_probes, found.scores.unknown_probes, found.scores.identities) == (18, 6, 6)
        mistakes = found.mistakes(100)
        assert len(mistakes) == np.sum(ranks > 1)
        assert all(mistake['found'] != mistake['label'] and mistake['rank'] > 1 for mistake in mistakes)
    assert 0.3 < found.scores.rank1 < 1, 'the sample has errors'


def test_an_image_on_both_sides_is_refused(people):
    gallery = labelled_file(read_embeddings(people / 'gallery.npz'))
    with pytest.raises(DataError, match=r'gallery/person0/0.png is in the gallery and among the probes'):
        identify(gallery, gallery)


def test_an_image_under_another_name_is_refused(people, tmp_path, monkeypatch):
    """A relative path from another working directory, and a link to the folder or to the file."""
    with monkeypatch.context() as patch:
        patch.chdir(people)
        embed_images(stub_encoder(), open_images(['gallery']), tmp_path / 'there.npz')
    gallery = labelled_file(read_embeddings(tmp_path / 'there.npz'))
    assert gallery.names[0] == 'gallery/person0/0.png'
    (tmp_path / 'folder').symlink_to(people / 'gallery')
    (tmp_path / 'files' / 'person0').mkdir(parents=True)
    (tmp_path / 'files' / 'person0' / 'link.png').symlink_to(people / 'gallery' / 'person0' / '0.png')
    for folder in (people / 'gallery', tmp_path / 'folder', tmp_path / 'files'):
        probes, _ = labelled_images(stub_encoder(), open_images([str(folder)]), 'probes')
        with pytest.raises(DataError, match=r'gallery/person0/0.png is in the gallery and among the probes'):
            identify(gallery, probes)


def test_other_images_of_the_same_relative_name_are_not(people, tmp_path, monkeypatch):
    sides = []
    for side, number in (('gallery', 0), ('probes', 2)):
        source = people / side / 'person0' / f'{number}.png'
        (tmp_path / side / 'person0').mkdir(parents=True)
        (tmp_path / side / 'person0' / 'a.png').write_bytes(source.read_bytes())
        with monkeypatch.context() as patch:
            patch.chdir(tmp_path / side)
            embed_images(stub_encoder(), open_images(['person0']), tmp_path / f'{side}.npz')
        sides.append(labelled_file(read_embeddings(tmp_path / f'{side}.npz')))
    assert sides[0].names == sides[1].names
    assert identify(*sides).scores.rank1 == 1


def test_images_without_a_person_are_refused(people):
    path = people / 'gallery' / 'person0' / '0.png'
    with pytest.raises(DataError, match='nothing says whom .*0.png shows'):
        labelled_images(stub_encoder(), open_images([str(path)]), '--gallery')


def test_sizes_that_differ_are_refused(people):
    gallery = labelled_file(read_embeddings(people / 'gallery.npz'))
    probes = labelled_file(read_embeddings(people / 'probes.npz'))
    with pytest.raises(DataError, match='gallery has embeddings of 6 numbers, the probes of 5'):
        identify(gallery, probes._replace(embeddings=probes.embeddings[:, :5]))


def write_rows(path, rows):
    with open(path, 'w', newline='') as file:
        csv.writer(file).writerows(rows)
    return path


@pytest.fixture(scope='module')
def templates(people):
    """A list with two templates a person: one of a video of two frames and an image, one of two images."""
    rows, random = [['template', 'subject', 'media', 'image', 'score']], np.random.RandomState(2)
    for person in range(8):
        for number in range(5):
            template = 2 * person + (number > 2)
            medium = 100 * person + (0 if number < 2 else number)
            rows.append(
                [template, f's{person}', medium, f'person{person}/{number}.png', f'{random.uniform(0.2, 1):.4f}']
            )
    order = [0, *(1 + random.permutation(len(rows) - 1))]
    return write_rows(people / 'templates.csv', [rows[number] for number in order])


def pooled_by_hand(people, templates, weights):
    file = read_embeddings(people / 'all.npz')
    vector = {
        '/'.join(image.name.split('/')[-2:]): row.astype(float) for image, row in zip(file.images, file.embeddings)
    }
    with open(templates, newline='') as listed:
        rows = list(csv.DictReader(listed))
    found = {}
    for template in sorted({row['template'] for row in rows}):
        media = {}
        for row in rows:
            if row['template'] == template:
                value = vector[row['image']] / np.linalg.norm(vector[row['image']])
                value = value * (float(row['score']) if 'score' in weights else 1)
                value = value * (np.linalg.norm(vector[row['image']]) if 'norm' in weights else 1)
                media.setdefault(row['media'], []).append(value)
        total = sum(np.mean(frames, axis=0) for frames in media.values())
        found[template] = total / np.linalg.norm(total)
    return found


@pytest.mark.parametrize('weights', ['score-norm', 'score', 'norm', 'none'])
@pytest.mark.parametrize('block', [1, 7, 1 << 14])
def test_templates_average_frames_and_add_media(people, templates, weights, block, monkeypatch):
    from gluon_cbam.recognition import templates as module

    monkeypatch.setattr(module, '_BLOCK', block)
    expected = pooled_by_hand(people, templates, weights)
    found = pool_templates(read_embeddings(people / 'all.npz'), read_templates(templates), weights)
    assert found.names.tolist() == list(expected)
    np.testing.assert_allclose(found.embeddings, np.stack(list(expected.values())), atol=1e-6)
    assert found.subjects.tolist() == [f's{int(name) // 2}' for name in found.names]


def test_normalized_files_pool_as_raw_ones(people, templates, tmp_path):
    embed_images(stub_encoder(), open_images([str(people / 'all')]), tmp_path / 'all.npz')
    raw, normalized = (
        pool_templates(read_embeddings(folder / 'all.npz'), read_templates(templates)) for folder in (people, tmp_path)
    )
    np.testing.assert_allclose(raw.embeddings, normalized.embeddings, atol=1e-6)


def test_pairs_of_templates_are_verified(people, templates, tmp_path):
    expected = pooled_by_hand(people, templates, 'score-norm')
    names = [(a, b) for a in expected for b in expected if int(a) < int(b)]
    pairs = write_rows(tmp_path / 'pairs.csv', [('a', 'b'), *names])
    pooled = pool_templates(read_embeddings(people / 'all.npz'), read_templates(templates))
    found = verify_templates(pooled, pairs)
    np.testing.assert_allclose(found.similarities, [expected[a] @ expected[b] for a, b in names], atol=1e-6)
    assert found.same.tolist() == [int(a) // 2 == int(b) // 2 for a, b in names]
    stated = write_rows(
        tmp_path / 'stated.csv', [('a', 'b', 'same'), *((a, b, i % 2) for i, (a, b) in enumerate(names))]
    )
    assert read_template_pairs(stated, pooled)[1].tolist() == [bool(i % 2) for i in range(len(names))]


@pytest.mark.parametrize(
    'rows, text',
    [
        ([['template', 'media', 'name'], [1, 1, 'x']], 'has no column image'),
        ([['template', 'media', 'image']], 'has no rows'),
        ([['template', 'media', 'image', 'media'], [1, 1, 'x', 2]], 'the column media 2 times'),
        ([['template', 'media', 'image'], [1, 1, 200_000 * 'x']], r'no CSV \(field larger'),
        ([['template', 'media', 'image'], [1, 1]], 'line 2 has 2 cells instead of 3'),
        ([['template', 'media', 'image', 'score'], [1, 1, 'person0/0.png', 'nan']], 'a score is not finite'),
        ([['template', 'media', 'image', 'score'], [1, 1, 'person0/0.png', 'x']], 'could not convert'),
        (
            [['template', 'media', 'image', 'score'], [1, 1, 'person0/0.png', 0]],
            'the embedding of template 1 has norm zero',
        ),
        ([['template', 'media', 'image'], [1, 1, 'person9/0.png']], 'has no image of this name'),
        (
            [['template', 'media', 'image', 'subject'], [1, 1, 'person0/0.png', 'a'], [1, 2, 'person0/1.png', 'b']],
            "template '1' has several subjects",
        ),
    ],
)
def test_lists_of_templates_that_do_not_fit(people, tmp_path, rows, text):
    path = write_rows(tmp_path / 'templates.csv', rows)
    with pytest.raises(DataError, match=text):
        pool_templates(read_embeddings(people / 'all.npz'), read_templates(path))


def test_an_image_in_templates_of_both_sides_is_refused(people, tmp_path):
    file, head = read_embeddings(people / 'all.npz'), ['template', 'media', 'image', 'subject']
    rows = {'gallery': [['g', 1, 'person0/0.png', 'a']], 'probes': [['p', 1, 'person0/1.png', 'a']]}
    for shared in (False, True):
        if shared:
            rows['probes'].append(['p', 2, 'person0/0', 'a'])
        lists = [write_rows(tmp_path / f'{name}.csv', [head, *each]) for name, each in rows.items()]
        sides = [labelled_templates(pool_templates(file, read_templates(path)), 'a list') for path in lists]
        if not shared:
            assert identify(*sides).scores.rank1 == 1
    with pytest.raises(DataError, match=r'person0/0\.png is in the gallery and among the probes'):
        identify(*sides)


def test_pairs_of_templates_that_are_not_there(people, templates, tmp_path):
    pooled = pool_templates(read_embeddings(people / 'all.npz'), read_templates(templates))
    with pytest.raises(DataError, match="the template '99'"):
        read_template_pairs(write_rows(tmp_path / 'pairs.csv', [('a', 'b'), (1, 99)]), pooled)
    with pytest.raises(DataError, match="same is 0 or 1, not 'yes'"):
        read_template_pairs(write_rows(tmp_path / 'pairs.csv', [('a', 'b', 'same'), (1, 2, 'yes')]), pooled)


def test_the_command_identifies_from_files(cbam_here, people, templates, tmp_path):
    found = cbam_here(
        'faces', 'identify', '--gallery', people / 'gallery.npz', '--probes', people / 'probes.npz', '--json'
    )
    assert found.returncode == 0, found.stderr
    value = json.loads(found.stdout)
    assert value['rank1'] == pytest.approx(np.mean(by_hand(people) == 1))
    assert value['dir_at']['1e-02']['resolved'] is False
    text = cbam_here('faces', 'identify', '--gallery', people / 'gallery.npz', '--probes', people / 'probes.npz',
        '--cmc', tmp_path / 'cmc.png',
    ).stdout  # fmt: skip
    assert cv2.imread(str(tmp_path / 'cmc.png')).std() > 5
    assert '6 unknown probes do not resolve this level' in text and 'rank-5' in text
    rows = list(csv.reader(templates.read_text().splitlines()))
    sides = []
    for side, kept in (('gallery', lambda row: int(row[0]) % 2 == 0), ('probes', lambda row: int(row[0]) % 2)):
        sides += [f'--{side}', write_rows(tmp_path / f'{side}.csv', [rows[0], *filter(kept, rows[1:])])]
    found = cbam_here('faces', 'identify', *sides, '--embeddings', people / 'all.npz', '--json')
    assert (found.returncode, json.loads(found.stdout)['known_probes']) == (0, 8), found.stderr


def test_files_of_different_weights_are_refused(cbam_here, people, tmp_path):
    embed_images(stub_encoder(params_sha256='b' * 64), open_images([str(people / 'probes')]), tmp_path / 'probes.npz')
    arguments = ['faces', 'identify', '--gallery', people / 'gallery.npz', '--probes', tmp_path / 'probes.npz']
    found = cbam_here(*arguments)
    assert (found.returncode, found.stderr.count('\n')) == (4, 1)
    assert 'params_sha256' in found.stderr
    assert cbam_here(*arguments, '--ignore-weights').returncode == 0


def test_images_need_a_network(cbam_here, people):
    found = cbam_here('faces', 'identify', '--gallery', people / 'gallery', '--probes', people / 'probes.npz')
    assert (found.returncode, found.stderr.count('\n')) == (2, 1)
    assert 'images need a network' in found.stderr


def test_unreadable_images_are_named(tmp_path):
    paths = write_people(tmp_path / 'faces', people=2, images=2)
    paths[1].write_bytes(b'x')
    with pytest.raises(DataError, match=r'person0/1.png'):
        labelled_images(
            stub_encoder(outputs=lambda rows: rows @ embedding_stub.MATRIX), open_images([str(tmp_path)]), 'x'
        )
