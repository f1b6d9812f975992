"""``cbam explain --pair``: the similarity of two faces."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, Optional, Tuple

from gluon_cbam.common.errors import UsageError

from .explain_methods import network_explainer
from .image_inputs import ImageInputs

if TYPE_CHECKING:
    from gluon_cbam.explain.figures.output_directory import WrittenExplanations


def explain_pair_of(
    inputs: ImageInputs,
    pair: str,
    output: str,
    stages: Optional[str],
    target: Optional[str],
    channels: int,
    method: Optional[str],
    report: bool,
    batch_size: int,
    overwrite: bool,
    ignore_classes: bool,
    **options: Any,
) -> Tuple[WrittenExplanations, Dict[str, Any]]:
    """Write a figure for each image of a pair; with the values of the pair for --json.

    Raises:
        UsageError: there is not one image on each side, or an option does not go with pairs.
        DataError: an image cannot be read.
    """
    from gluon_cbam.data.sources.images import open_images
    from gluon_cbam.explain.figures.output_directory import write_explanations
    from gluon_cbam.explain.images.pair import explain_pair
    from gluon_cbam.explain.maps.methods import find_method

    method = method or 'gradcam'
    if target is not None:
        raise UsageError(f'--class {target} is of classes, --pair of embeddings: leave one of them out')
    if options['params'] is None and options['pretrained'] is None:
        raise UsageError('explain needs weights: give --params FILE or --pretrained')
    files, images = inputs.files_and_sources(output)
    sides = []
    for where, found in ((inputs.where, images), (pair, open_images([pair]))):
        image = next(found, None)
        if image is None or next(found, None) is not None:
            raise UsageError(f'--pair compares two images, but {where} names {"several" if image else "none"}')
        sides.append(image)
    if not find_method(method).differentiates:
        raise UsageError(f'{method} explains classes, not pairs: use gradcam or gradcam++')
    explainer = network_explainer(method, batch_size, **options)
    chosen = None if stages is None else [part.strip() for part in stages.split(',') if part.strip()]
    explained = explain_pair(explainer, sides[0], sides[1], chosen)
    written = write_explanations(
        explained.explanations,
        output,
        [*files, pair],
        explainer.explained.name,
        (),
        method,
        channels,
        report,
        overwrite,
    )
    return written, {'similarity': explained.similarity}
