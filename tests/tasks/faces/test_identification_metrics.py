"""The figures of identification against loops over probes and identities."""

import numpy as np
import pytest

from gluon_cbam.common.errors import DataError
from gluon_cbam.tasks.faces.metrics import identification
from gluon_cbam.tasks.faces.metrics.embeddings import normalize
from gluon_cbam.tasks.faces.metrics.identification import Gallery, rank_probes, score_identification


@pytest.fixture(scope='module')
def people():
    """Gallery and probes of 23 persons with 1 to 4 images, shuffled; 7 of the probes' persons are unknown."""
    random = np.random.RandomState(3)
    centers = random.randn(30, 8)
    galleried = np.repeat(np.arange(23), random.randint(1, 5, 23))
    probed = np.repeat(np.arange(30), random.randint(1, 6, 30))
    random.shuffle(galleried)
    random.shuffle(probed)
    gallery, probes = (normalize(centers[of] + 0.8 * random.randn(len(of), 8)) for of in (galleried, probed))
    return gallery, galleried, probes, probed


def loop(people):
    """Rank, own score and best score of each probe."""
    gallery, galleried, probes, probed = people
    for probe, person in zip(probes, probed):
        scores = {each: max(float(probe @ row) for row in gallery[galleried == each]) for each in set(galleried)}
        own = scores.get(person)
        rank = None if own is None else 1 + sum(other > own for each, other in scores.items() if each != person)
        yield rank, own, max(scores.values())


def figures(people, labels=lambda numbers: numbers):
    gallery, galleried, probes, probed = people
    known = Gallery(gallery, labels(galleried))
    return score_identification(known, rank_probes(known, probes, labels(probed)), (0.5, 0.1, 0.01))


def test_ranks_equal_a_loop(people):
    ranks = [rank for rank, _, _ in loop(people) if rank is not None]
    scores = figures(people)
    assert (scores.identities, scores.gallery_images) == (23, len(people[0]))
    assert (scores.known_probes, scores.unknown_probes) == (len(ranks), len(people[3]) - len(ranks))
    assert scores.cmc == pytest.approx([np.mean([rank <= limit for rank in ranks]) for limit in range(1, 24)])
    assert (scores.rank1, scores.rank5) == (scores.cmc[0], scores.cmc[4])
    assert 0.3 < scores.rank1 < scores.rank5 < 1, 'the sample tells the ranks apart'


def test_the_open_set_equals_a_loop_over_thresholds(people):
    found = list(loop(people))
    known = [(rank, own) for rank, own, _ in found if rank is not None]
    alarms = np.array([best for rank, _, best in found if rank is None])
    for level, point in figures(people).dir_at.items():
        rates = [
            np.mean([rank == 1 and own >= limit for rank, own in known])
            for limit in [*(own for _, own in known), 2]
            if np.mean(alarms >= limit) <= level
        ]
        assert point.dir == pytest.approx(max(rates))
        assert point.resolved == (len(alarms) * level >= 1)
        assert point.false_alarms == np.sum(alarms >= point.threshold - 1e-7)


def test_names_are_persons_too(people):
    assert figures(people, lambda numbers: np.array([f'person {number:02d}' for number in numbers])) == figures(people)


def test_blocks_change_nothing(people, monkeypatch):
    whole = figures(people)
    monkeypatch.setattr(identification, '_BLOCK_BYTES', 4 * len(people[0]) * 3)  # three probes
    assert figures(people) == whole


def test_equal_embeddings_identify_nobody():
    same = np.ones((6, 1))
    gallery = Gallery(same, np.arange(6))
    scores = score_identification(gallery, rank_probes(gallery, same, np.array([0, 1, 2, 3, 7, 8])))
    assert (scores.rank1, scores.rank5, scores.cmc[-1]) == (0.0, 0.0, 1.0)
    assert (scores.dir_at[0.1].dir, scores.dir_at[0.1].false_alarms) == (0.0, 0)


def test_a_score_that_an_unknown_person_has_too_does_not_count():
    gallery, probes = Gallery(np.eye(2), np.arange(2)), np.array([[0.8, 0.6], [0.6, 0.8]])
    scores = score_identification(gallery, rank_probes(gallery, probes, np.array([0, 9])))
    point = scores.dir_at[0.1]
    assert (scores.rank1, point.dir, point.false_alarms, point.resolved) == (1.0, 0.0, 0, False)


def test_without_unknown_probes_there_is_no_open_set():
    gallery = Gallery(np.eye(3), np.arange(3))
    scores = score_identification(gallery, rank_probes(gallery, np.eye(3), np.arange(3)))
    assert (scores.rank1, scores.dir_at, scores.unknown_probes) == (1.0, {}, 0)


def test_probes_of_unknown_persons_alone_are_refused():
    gallery = Gallery(np.eye(3), np.arange(3))
    with pytest.raises(DataError, match='none of the 2 probes shows one of the 3 persons'):
        score_identification(gallery, rank_probes(gallery, np.eye(3)[:2], np.array([7, 8])))


def test_an_empty_gallery_is_refused():
    with pytest.raises(DataError, match='empty'):
        Gallery(np.zeros((0, 4)), np.zeros(0))
