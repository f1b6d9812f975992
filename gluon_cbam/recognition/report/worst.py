"""The worst pairs of a verification, and the worst probes of an identification, for sheets of their pictures."""

from __future__ import annotations

from functools import partial
from typing import List, NamedTuple, Tuple

import numpy as np

from gluon_cbam.explain.figures.sheets import WORST, SheetGroup
from gluon_cbam.recognition.identifying import Identified
from gluon_cbam.recognition.verification import VerifiedPairs


class WorstPair(NamedTuple):
    """A pair on a sheet.

    Attributes:
        number: its number in the set.
        names: the names of its images.
        similarity: their cosine similarity.
        wrong: whether it lies on the wrong side of the threshold.
    """

    number: int
    names: Tuple[str, str]
    similarity: float
    wrong: bool


def worst_pairs(result: VerifiedPairs, same: bool, most: int = WORST) -> List[WorstPair]:
    """The pairs of a kind that are the furthest on the wrong side, the worst first.

    Args:
        result: the verified set.
        same: False for different persons that are most alike, True for one person that is least alike.
        most: number of pairs.

    Returns:
        The pairs.
    """
    numbers = np.flatnonzero(result.same == same)
    order = np.argsort(result.distances[numbers] * (-1 if same else 1), kind='stable')[:most]
    found = []
    for number in numbers[order].tolist():
        first, second = (result.image_name(image) for image in result.pairs[number].tolist())
        accepted = bool(result.distances[number] < result.threshold)
        found.append(WorstPair(number, (first, second), float(result.similarities[number]), accepted != same))
    return found


def sheet_of_pairs(result: VerifiedPairs, pairs: List[WorstPair]) -> List[SheetGroup]:
    """The groups of a sheet.

    Args:
        result: the verified set, whose images can be loaded.
        pairs: the pairs, see :func:`worst_pairs`.
    """
    assert result.load is not None, 'the images of the set can be loaded'
    found = []
    for pair in pairs:
        first, second = result.pairs[pair.number].tolist()
        text = f'pair {pair.number}: similarity {pair.similarity:.3f}, {"wrong" if pair.wrong else "right"}'
        found.append(
            SheetGroup((partial(result.load, first), partial(result.load, second)), pair.names, text, pair.wrong)
        )
    return found


class WorstProbe(NamedTuple):
    """A probe on a sheet.

    Attributes:
        number: its number among the probes.
        image: the number of the most similar image of the gallery.
        similarity: their cosine similarity.
    """

    number: int
    image: int
    similarity: float


def worst_probes(found: Identified, known: bool, most: int = WORST) -> List[WorstProbe]:
    """The probes that are most similar to a wrong person.

    Args:
        found: the identified probes.
        known: True for persons of the gallery that have not rank 1, False for persons that it does not have.
        most: number of probes.

    Returns:
        The probes, the most similar first.
    """
    results = found.results
    numbers = np.flatnonzero((results.own >= 0) & (results.rank > 1) if known else results.own < 0)
    order = numbers[np.argsort(-results.score[numbers], kind='stable')][:most]
    probes = []
    for number in order.tolist():
        images = np.flatnonzero(found.known.labels == found.gallery[results.best[number]])
        similarities = found.known.embeddings[images] @ found.probes.embeddings[number]
        best = int(similarities.argmax())
        probes.append(WorstProbe(number, int(images[best]), float(similarities[best])))
    return probes


def sheet_of_probes(found: Identified, probes: List[WorstProbe]) -> List[SheetGroup]:
    """The pairs of a sheet: a probe, and the image of the gallery that it was taken for.

    Args:
        found: the identified probes, whose images and those of the gallery can be loaded.
        probes: the probes, see :func:`worst_probes`.
    """
    load, load_known = found.probes.loader(), found.known.loader()
    assert load is not None and load_known is not None, 'the images can be loaded'
    pairs = []
    for probe in probes:
        person, label = found.known.labels[probe.image], found.probes.labels[probe.number]
        known = found.results.own[probe.number] >= 0
        pairs.append(SheetGroup(
            (partial(load, probe.number), partial(load_known, probe.image)),
            (found.probes.names[probe.number], found.known.names[probe.image]),
            f'{label} {"taken for" if known else "is most like"} {person}: {probe.similarity:.3f}', bool(known),
        ))  # fmt: skip
    return pairs
