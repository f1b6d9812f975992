"""The settings of face recognition."""

from __future__ import annotations

from dataclasses import dataclass
from typing import List, Optional

from gluon_cbam.common.settings import setting
from gluon_cbam.tasks.image_augmentation import ImageAugmentationSettings

from .heads.table import HEADS

MARGIN_FORMS = ('linear', 'cosine')
TRIPLETS = ('triplet', 'atriplet')  # the keys of a table that imports mxnet
CHOICES = (*HEADS, *TRIPLETS)


@dataclass
class FaceSettings(ImageAugmentationSettings):
    """The settings that face recognition has besides those of every task."""

    head: str = setting('arcface', 'loss of the embeddings', choices=CHOICES, immutable=True, section='Faces')
    scale: Optional[float] = setting(
        None, "factor of the logits  [the head's, 64 for most]", kind=float, minimum=0, immutable=True
    )
    margin: List[float] = setting(
        (), "margins of the head, such as 0.5 of arcface or 1,0.3,0.2 of combined  [the head's]", kind=list,
        immutable=True,
    )  # fmt: skip
    easy_margin: bool = setting(
        False, 'no margin where the angle is above 90 degrees (arcface, magface)', kind=bool, immutable=True
    )
    margin_form: Optional[str] = setting(
        None,
        "what arcface has where angle and margin are above 180 degrees together  [the head's]",
        choices=MARGIN_FORMS,
        immutable=True,
    )
    subcenters: Optional[int] = setting(
        None, "class weights of an identity, of which the nearest counts  [the head's]", kind=int, minimum=1,
        immutable=True,
    )  # fmt: skip
    sharded: bool = setting(
        True, 'shard the class weights over devices and processes; otherwise each device has all of them', kind=bool,
        immutable=True,
    )  # fmt: skip
    sample_rate: float = setting(
        1.0, 'share of the identities that the loss of a step takes, with all of the batch (Partial FC)',
        kind=float, minimum=0, immutable=True,
    )  # fmt: skip
    images_per_identity: int = setting(
        5, 'pictures of an identity in a batch of triplets', kind=int, minimum=2, immutable=True
    )
    images_filter: int = setting(
        0, 'leave out identities with fewer pictures than this', kind=int, minimum=0, immutable=True
    )
    cutoff: int = setting(
        0, 'side of a gray square that hides a part of half of the pictures, in pixels', kind=int, minimum=0,
        immutable=True,
    )  # fmt: skip
    best_set: Optional[str] = setting(
        None, 'verification set whose accuracy decides which epoch is the best  [the mean over all sets]'
    )
