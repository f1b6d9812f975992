"""Maps of a network in mxnet: the gates of its attention, and any method."""

from __future__ import annotations

from typing import List, Optional, Sequence

import mxnet as mx
import numpy as np

from gluon_cbam.common.errors import UsageError
from gluon_cbam.explain.maps.attention import AttentionMaps, attention_maps
from gluon_cbam.explain.maps.box_cam import BoxMap, box_maps
from gluon_cbam.explain.maps.class_maps import ClassMaps, Targets
from gluon_cbam.explain.maps.grad_cam import grad_cam
from gluon_cbam.explain.maps.methods import find_method
from gluon_cbam.explain.maps.pair_cam import PairMaps, pair_grad_cam
from gluon_cbam.explain.maps.perturbation import SAMPLES
from gluon_cbam.inference.network import LoadedNetwork
from gluon_cbam.inference.session import on_devices

from .classes import gives_embeddings
from .explainer import BatchMaps, PerturbationExplainer


class NetworkExplainer:
    """Explains a network with weights.

    Args:
        network: the network.
        ctx: one of its contexts.
        method: a key of :data:`gluon_cbam.explain.maps.methods.EXPLAIN_METHODS`.
        layer: see :func:`gluon_cbam.explain.grad_cam`.
        samples: number of masks of RISE.
        batch_size: images that the network takes at once.
    """

    def __init__(
        self,
        network: LoadedNetwork,
        ctx: mx.Context,
        method: str = 'gradcam',
        layer: Optional[str] = None,
        samples: int = SAMPLES,
        batch_size: int = 32,
    ) -> None:
        self.explained = network
        self._ctx, self._method, self._layer = ctx, method, layer
        self._perturbation: Optional[PerturbationExplainer] = None
        if not find_method(method).differentiates:
            session = on_devices(network, [ctx])
            self._perturbation = PerturbationExplainer(session, method, samples, batch_size)

    def batch(self, pixels: Sequence[np.ndarray]) -> BatchMaps:
        """See :meth:`.explainer.Explainer.batch`."""
        inputs = np.stack([self.explained.preprocessing.normalize(each) for each in pixels])
        perturbed = self._perturbation.batch(pixels) if self._perturbation else None
        return _NetworkBatch(self.explained.net, mx.nd.array(inputs, self._ctx), self._method, self._layer, perturbed)

    def boxes(
        self, pixels: np.ndarray, most: int, label: Optional[int] = None, within: Optional[Sequence[float]] = None
    ) -> List[BoxMap]:
        """The maps of the surest boxes of an image.

        Args:
            pixels: (S, S, 3) uint8 RGB, the network's input before normalization.
            most: the largest number of boxes.
            label: index of a class; default all classes.
            within: the place of the picture in the input, see :func:`gluon_cbam.explain.maps.box_cam.box_maps`.

        Raises:
            UsageError: the network is no detector, or an unknown layer.
        """
        image = mx.nd.array(self.explained.preprocessing.normalize(pixels)[None], self._ctx)
        return box_maps(self.explained.net, image, most, label, self._layer, within)

    def pair(self, first: np.ndarray, second: np.ndarray) -> PairMaps:
        """The maps of the similarity of two images.

        Args:
            first: (S, S, 3) uint8 RGB, the network's input before normalization.
            second: the other one.

        Raises:
            UsageError: the network gives no embeddings, or the method is none of Grad-CAM.
        """
        if not gives_embeddings(self.explained):
            raise UsageError(f'{self.explained.name} gives logits, no embeddings whose similarity could be explained')
        images = [self.explained.preprocessing.normalize(each)[None] for each in (first, second)]
        left, right = (mx.nd.array(each, self._ctx) for each in images)
        return pair_grad_cam(self.explained.net, left, right, self._layer, self._method)


class _NetworkBatch:
    def __init__(
        self,
        net: mx.gluon.HybridBlock,
        images: mx.nd.NDArray,
        method: str,
        layer: Optional[str],
        perturbed: Optional[BatchMaps],
    ) -> None:
        self._net, self._images, self._method, self._layer = net, images, method, layer
        self._perturbed = perturbed

    def gates(self) -> List[AttentionMaps]:
        return attention_maps(self._net, self._images)

    def class_maps(self, targets: Targets) -> ClassMaps:
        if self._perturbed is not None:
            return self._perturbed.class_maps(targets)
        return grad_cam(self._net, self._images, targets, self._layer, self._method)
