"""How well each picture was detected, to look at the best and the worst."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .class_matches import match_classes
from .coco import RECALLS, THRESHOLDS
from .greedy import UNMATCHED
from .precision import Ranking
from .tables import Found, Truths


@dataclass(frozen=True, eq=False)
class PictureScores:
    """A row for each image.

    Attributes:
        ap: (N,) the average precision over all classes of the image as one: the mean over COCO's ten overlaps. Unlike a
            mean over classes it falls with detections of classes that the image does not show. NaN for images without
            objects that count.
        false_score: (N,) the highest score of a wrong detection at an overlap of 0.5, 0 without any, by which images
            without objects are compared.
    """

    ap: np.ndarray
    false_score: np.ndarray

    def worst(self, most: int) -> np.ndarray:
        """Numbers of images, the worst first; of those without objects, the surest wrong detections are the worst.

        Args:
            most: number of images.
        """
        rated = np.where(np.isnan(self.ap), 1 - self.false_score, self.ap)
        return np.lexsort((-self.false_score, rated))[:most]

    def best(self, most: int) -> np.ndarray:
        """Numbers of images with objects, the best first.

        Args:
            most: number of images.
        """
        known = np.flatnonzero(~np.isnan(self.ap))
        return known[np.lexsort((self.false_score[known], -self.ap[known]))][:most]


def picture_scores(found: Found, truths: Truths, images: int) -> PictureScores:
    """Rate every image.

    Args:
        found: the detections, from the highest score to the lowest.
        truths: the true boxes.
        images: number of images.

    Returns:
        The rates.
    """
    owner = match_classes(found, truths, THRESHOLDS)
    matched = owner != UNMATCHED
    crowd = np.append(truths.crowd, False)[owner]  # UNMATCHED is -1, the last
    right, wrong = matched & ~crowd, ~matched
    counting = np.bincount(truths.images[~truths.crowd], minlength=images)
    order = np.argsort(found.images, kind='stable')
    starts = np.searchsorted(found.images[order], np.arange(images + 1))
    ap = np.full(images, np.nan)
    for image in np.flatnonzero(counting):
        rows = order[starts[image] : starts[image + 1]]
        rankings = [Ranking(right[rows, t], wrong[rows, t], counting[image]) for t in range(len(THRESHOLDS))]
        ap[image] = np.mean([ranking.at(RECALLS).mean() for ranking in rankings])
    false_score = np.zeros(images)
    np.maximum.at(false_score, found.images[wrong[:, 0]], found.scores[wrong[:, 0]])
    return PictureScores(ap, false_score)
