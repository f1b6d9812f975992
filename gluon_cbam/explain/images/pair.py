"""Explanation of the similarity of two images."""

from __future__ import annotations

from typing import TYPE_CHECKING, List, NamedTuple, Optional, Sequence

from gluon_cbam.data.sources.images import ImageSource
from gluon_cbam.explain.maps.stages import select_stages

from .explanation import ClassActivation, Explanation
from .pipeline import gates_of

if TYPE_CHECKING:
    from .network_explainer import NetworkExplainer


class ExplainedPair(NamedTuple):
    """Two images and the similarity of their embeddings.

    Attributes:
        explanations: those of both images, each with the map of the similarity.
        similarity: the cosine similarity of the embeddings, without the flip test.
    """

    explanations: List[Explanation]
    similarity: float


def explain_pair(
    explainer: NetworkExplainer, first: ImageSource, second: ImageSource, stages: Optional[Sequence[str]] = None
) -> ExplainedPair:
    """Explain the similarity of two images.

    Args:
        explainer: of a network with embeddings, by a method that differentiates.
        first: an image.
        second: the other one.
        stages: attention modules, see :func:`gluon_cbam.explain.maps.stages.select_stages`; () for none.

    Returns:
        The explanations.

    Raises:
        UsageError: the network gives no embeddings, or an unknown stage or layer.
        DataError: an image cannot be read, or its embedding has norm zero.
    """
    images = (first, second)
    preprocessing = explainer.explained.preprocessing
    pixels = [preprocessing.seen(preprocessing.crop(image.decode())) for image in images]
    maps = explainer.pair(*pixels)
    similarity = float(maps.similarity[0])
    gates = [] if stages == () else select_stages(explainer.batch(pixels).gates(), stages)
    explanations = []
    for index, heat in enumerate((maps.first[0], maps.second[0])):
        label = f'{similarity:.4f} to {images[1 - index].file}'
        activation = ClassActivation(heat, None, label, None, False, maps.layer, maps.grid)
        own = [gates_of(gate, index) for gate in gates]
        image = images[index]
        explanations.append(Explanation(image.file, image.number, None, pixels[index], [], [activation], own))
    return ExplainedPair(explanations, similarity)
