"""The training loss of face recognition: a head over the embeddings, and what people watch of it."""

from __future__ import annotations

import math
from typing import Any, List, NamedTuple, Sequence, Tuple, Union

import mxnet as mx

from gluon_cbam.common.errors import UsageError
from gluon_cbam.data.loading.preprocessing import Preprocessing
from gluon_cbam.data.loading.training import Batch, Normalize
from gluon_cbam.models.registry import build
from gluon_cbam.tasks.objective import Objective
from gluon_cbam.tasks.protocols import ProcessGroup, Settings
from gluon_cbam.tasks.sharded_head import ShardedOutputs

from .heads.class_head import ClassHead, HeadInputs
from .heads.margin import Margin
from .heads.sharded import ShardedMarginHead
from .heads.table import HEADS, make_margin
from .heads.triplet import TRIPLETS, make_triplet

# the settings that triplets do not have -> their value where they are not given
_OF_MARGINS = (
    ('scale', None), ('subcenters', None), ('margin_form', None), ('easy_margin', False), ('sample_rate', 1.0),
)  # fmt: skip


class _Inputs(NamedTuple):
    """One device's part of a batch: (N, 3, H, W) images and (N,) identities."""

    images: mx.nd.NDArray
    labels: mx.nd.NDArray


class _Outputs(NamedTuple):
    """The logits of one device's images, (N, classes), and what they were computed from."""

    logits: mx.nd.NDArray
    head: HeadInputs


class FaceObjective(Objective):
    """What the losses of embeddings share.

    Args:
        preprocessing: normalizes the images, on the devices.
    """

    def __init__(self, preprocessing: Preprocessing) -> None:
        self._normalize = Normalize(preprocessing)
        self._normalize.hybridize(static_alloc=True, static_shape=True)

    def prepare(self, parts: Sequence[Batch], step: int, index: int) -> List[_Inputs]:
        """Normalize the images."""
        return [_Inputs(self._normalize(part.images), part.labels) for part in parts]


class MarginObjective(FaceObjective):
    """Cross-entropy of a margin head.

    Args:
        settings: ``network``, ``classes``, ``option`` and the settings of the task are read.
        preprocessing: normalizes the images, on the devices.
    """

    def __init__(self, settings: Settings, preprocessing: Preprocessing) -> None:
        super().__init__(preprocessing)
        of_head = margin_of(settings), settings['classes'], embedding_size(settings), subcenters_of(settings)
        if settings['sharded']:
            self.sharded = ShardedMarginHead(*of_head, settings['sample_rate'])
        else:
            self.head = ClassHead(*of_head)

    def join(self, process_group: ProcessGroup) -> None:
        """Moving statistics follow the batch of all processes."""
        if self.head is not None:  # a sharded one sees the whole batch anyway
            self.head.moving.process_group = process_group

    def loss(self, net: mx.gluon.HybridBlock, inputs: _Inputs) -> Tuple[mx.nd.NDArray, Any]:
        """See :meth:`losses`, for a single device."""
        return self.losses(net, [inputs])[0]

    def losses(self, net: mx.gluon.HybridBlock, inputs: Sequence[_Inputs]) -> List[Tuple[mx.nd.NDArray, _Outputs]]:
        """The loss of each image, (N,), on every device; moving statistics follow the batch of all of them."""
        assert self.head is not None, 'not called for a sharded head'
        embeddings = [net(part.images) for part in inputs]
        found = self.head.losses(embeddings, [part.labels for part in inputs])
        return [(loss, _Outputs(logits, head)) for loss, logits, head in found]

    def embed(self, net: mx.gluon.HybridBlock, inputs: _Inputs) -> Tuple[mx.nd.NDArray, mx.nd.NDArray]:
        """The embeddings of a device's images, in float32, and their identities."""
        return net(inputs.images).astype('float32'), inputs.labels

    def statistics(
        self, inputs: _Inputs, losses: mx.nd.NDArray, outputs: Union[_Outputs, ShardedOutputs]
    ) -> Tuple[mx.nd.NDArray, ...]:
        """The sums of losses, angles in degrees, hard images and norms."""
        if isinstance(outputs, ShardedOutputs):
            cosine, norm, hard = outputs
        else:
            cosine, norm, hard = outputs.head.cosine, outputs.head.norm, outputs.logits.argmax(axis=1) != inputs.labels
        return losses.sum(), degrees(cosine).sum(), hard.sum(), norm.sum()


class TripletObjective(FaceObjective):
    """A triplet loss, whose negatives are those of the device's batch.

    Args:
        settings: the settings of the task are read.
        preprocessing: normalizes the images, on the devices.
    """

    def __init__(self, settings: Settings, preprocessing: Preprocessing) -> None:
        super().__init__(preprocessing)
        self._loss = make_triplet(settings['head'], settings['margin'], settings['images_per_identity'])
        self._loss.hybridize(static_alloc=True, static_shape=True)

    def loss(self, net: mx.gluon.HybridBlock, inputs: _Inputs) -> Tuple[mx.nd.NDArray, Any]:
        """The loss of each image as the anchor, (N,)."""
        loss, cosine, norm = self._loss(net(inputs.images), inputs.labels)
        return loss, (cosine, norm)

    def statistics(self, inputs: _Inputs, losses: mx.nd.NDArray, outputs: Any) -> Tuple[mx.nd.NDArray, ...]:
        """The sums of losses, angles to the positives in degrees, anchors with a loss, and norms."""
        cosine, norm = outputs
        return losses.sum(), degrees(cosine).sum(), (losses > 0).sum(), norm.sum()


def degrees(cosine: mx.nd.NDArray) -> mx.nd.NDArray:
    """Angles in degrees."""
    return mx.nd.arccos(cosine.clip(-1, 1)) * (180 / math.pi)


def objective_of(settings: Settings, preprocessing: Preprocessing) -> Objective:
    """The loss of a run."""
    kind = TripletObjective if settings['head'] in TRIPLETS else MarginObjective
    return kind(settings, preprocessing)


def check_head(settings: Settings) -> None:
    """Check that the head has the settings of a run.

    Raises:
        UsageError: it has not.
    """
    if settings['head'] not in TRIPLETS:
        margin = margin_of(settings)
        if not margin.normalized and subcenters_of(settings) > 1:
            raise UsageError(
                f'--subcenters {settings["subcenters"]}: the head {settings["head"]} has no cosines, by which the '
                'nearest class weight is found: leave it out'
            )
        _check_sample(settings['sample_rate'], settings['sharded'])
        return
    make_triplet(settings['head'], settings['margin'])
    for name, without in _OF_MARGINS:
        if settings[name] != without:
            raise UsageError(f'--{name.replace("_", "-")}: the head {settings["head"]} has none: leave it out')


def _check_sample(rate: float, sharded: bool) -> None:
    """Check the share of the identities that a step takes."""
    if not 0 < rate <= 1:
        raise UsageError(f'--sample-rate {rate:g} must be above 0 and at most 1')
    if rate < 1 and not sharded:
        raise UsageError(f'--sample-rate {rate:g} needs a sharded head: leave out --no-sharded')


def embedding_size(settings: Settings) -> int:
    """The size of the embeddings of a run's network."""
    return build(settings['network'], classes=settings['classes'], **settings['option']).outputs


def subcenters_of(settings: Settings) -> int:
    """Class weights of an identity."""
    return settings['subcenters'] or HEADS[settings['head']].subcenters


def margin_of(settings: Settings) -> Margin:
    """The margin that the settings of a run describe.

    Raises:
        UsageError: the head has no such setting.
    """
    form = settings['margin_form']
    if settings['easy_margin']:
        if form is not None:
            raise UsageError(f'--easy-margin and --margin-form {form} exclude each other: give one of them')
        form = 'easy'
    return make_margin(settings['head'], settings['scale'], settings['margin'], form)
