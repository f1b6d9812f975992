"""The report of an identification: curves, the worst probes, the page and its files."""

import json

import cv2
import numpy as np
import pytest
from embedding_stub import stub_encoder, write_people
from html_pages import checked_page

from gluon_cbam.common.errors import UsageError
from gluon_cbam.data.sources.images import open_images
from gluon_cbam.recognition.embedding_files import read_embeddings
from gluon_cbam.recognition.embedding_run import embed_images
from gluon_cbam.recognition.identifying import identify, labelled_file
from gluon_cbam.recognition.report.identification_page import report_files, write_report
from gluon_cbam.recognition.report.worst import worst_probes
from gluon_cbam.tasks.faces.metrics.identification import open_set_curve, open_set_point


@pytest.fixture(scope='module')
def people(tmp_path_factory):
    """Images and files of 6 persons in a gallery, and of these and 3 more among the probes."""
    folder = tmp_path_factory.mktemp('people')
    write_people(folder / 'all', people=9, images=5, noise=100)
    for side, persons, numbers in (('gallery', range(6), (0, 1)), ('probes', range(9), (2, 3, 4))):
        for person in persons:
            (folder / side / f'person{person}').mkdir(parents=True)
            for number in numbers:
                source = folder / 'all' / f'person{person}' / f'{number}.png'
                (folder / side / f'person{person}' / f'{number}.png').write_bytes(source.read_bytes())
        embed_images(stub_encoder(), open_images([str(folder / side)]), folder / f'{side}.npz')
    return folder


@pytest.fixture(scope='module')
def found(people):
    return identify(*(labelled_file(read_embeddings(people / f'{side}.npz')) for side in ('gallery', 'probes')))


def test_the_curve_of_the_open_set(found):
    """Counted threshold by threshold, and at a level the figure of the table."""
    results = found.results
    known = results.own >= 0
    far, share = open_set_curve(results)
    for threshold, alarms, hits in zip(sorted(set(results.score.tolist()), reverse=True), far, share):
        assert alarms == pytest.approx((results.score[~known] >= threshold).mean())
        assert hits == pytest.approx(((results.rank == 1) & (results.score >= threshold))[known].mean())
    for level in (0.12, 0.4, 0.9):
        assert open_set_point(results, level).dir == pytest.approx(share[far <= level].max())
    assert len(set(share)) > 5


@pytest.mark.parametrize('known', [True, False])
def test_the_worst_probes_are_the_most_similar_to_a_wrong_person(found, people, known):
    gallery, probes = (read_embeddings(people / f'{side}.npz') for side in ('gallery', 'probes'))
    expected = []
    for number, (probe, person) in enumerate(zip(probes.embeddings, probes.labels)):
        cosines = gallery.embeddings @ probe
        best = int(cosines.argmax())
        if (person in gallery.labels) == known and gallery.labels[best] != person:
            expected.append((float(cosines[best]), number, best))
    expected.sort(reverse=True)
    assert len(expected) > 4
    assert [(each.number, each.image) for each in worst_probes(found, known, 4)] == [each[1:] for each in expected[:4]]
    assert [each.similarity for each in worst_probes(found, known, 4)] == pytest.approx([e[0] for e in expected[:4]])


def test_the_page_has_every_figure_and_picture(found, tmp_path):
    page = checked_page(write_report(found, {'network': '<stub>'}, tmp_path / 'report', False).read_text())
    rows = dict(page.tables[0])
    assert rows['gallery'] == '6 persons, 12 images'
    assert rows['probes'] == '18 of known and 9 of unknown persons'
    assert rows['rank-1'].startswith(f'{100 * found.scores.rank1:.2f} %')
    assert rows['DIR at FAR 1e-02'].endswith('9 unknown probes do not resolve this level')
    files = report_files(tmp_path / 'report')
    assert sorted(files) == sorted((tmp_path / 'report').iterdir())
    assert len(page.images) == len(files) - 1 == 4
    for path in files[1:]:
        assert cv2.imread(str(path)).std() > 5


def test_pictures_that_there_cannot_be_are_left_out(found, tmp_path):
    """Those of an older report do not stay beside the page."""
    write_report(found, {}, tmp_path / 'report', False)
    with pytest.raises(UsageError, match=r'report\.html exists'):
        write_report(found, {}, tmp_path / 'report', False)
    known = found.results.own >= 0
    probes = found.probes._replace(
        embeddings=found.probes.embeddings[known], labels=found.probes.labels[known],
        names=[f'record#{number}' for number in range(known.sum())], images=['no.rec#1'] * int(known.sum()),
    )  # fmt: skip
    page = write_report(identify(found.known, probes), {}, tmp_path / 'report', True)
    assert sorted(path.name for path in page.parent.iterdir()) == ['cmc.png', 'report.html']
    assert len(checked_page(page.read_text()).images) == 1


def test_the_command_writes_it(cbam_here, people, tmp_path):
    sides = ['--gallery', people / 'gallery.npz', '--probes', people / 'probes.npz']
    done = cbam_here('faces', 'identify', *sides, '--output', tmp_path / 'report', '--json')
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)['report'] == str(tmp_path / 'report' / 'report.html')
    page = checked_page((tmp_path / 'report' / 'report.html').read_text())
    assert len(page.images) == 4
    again = cbam_here('faces', 'identify', *sides, '--output', tmp_path / 'report')
    assert (again.returncode, again.stderr.count('\n')) == (2, 1)
    assert 'exists' in again.stderr
    text = cbam_here('faces', 'identify', *sides, '--output', tmp_path / 'report', '--force').stdout
    assert text.endswith(f'report: {tmp_path / "report" / "report.html"}\n')
    assert np.count_nonzero([line.startswith('  rank-') for line in text.splitlines()]) == 2
