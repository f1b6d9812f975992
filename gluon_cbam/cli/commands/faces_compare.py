"""``cbam faces compare`` and ``cbam faces search``: two images, and the nearest images of a file of embeddings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, List, Optional, Tuple

import click

from gluon_cbam.cli.output import common_options
from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.common.printable import printable

from .faces_network import encoder_options, open_encoder, show_resized, show_verification
from .image_inputs import INPUTS, ImageInputs, input_options

if TYPE_CHECKING:
    from gluon_cbam.data.sources.images import ImageSource
    from gluon_cbam.recognition.comparing import FaceComparison, Threshold
    from gluon_cbam.recognition.encoder import Encoded, Encoder

_DISTANCE = click.option(
    '--distance',
    type=click.Choice(['euclidean', 'cosine']),
    default='euclidean',
    show_default=True,
    help='unit of --threshold: squared Euclidean distance, or cosine similarity',
)


@click.command()
@click.argument('first', metavar='A')
@click.argument('second', metavar='B')
@click.option('--threshold', type=float, metavar='X', help="limit of one person  [the card's, else no decision]")
@_DISTANCE
@encoder_options
@common_options
def compare(
    first: str, second: str, threshold: Optional[float], distance: str, **options: Any
) -> Tuple[Dict[str, Any], str]:
    """Compare the faces on two images.

    Without --threshold, and without a threshold among the figures on the weights' card, no decision is stated.
    """
    from gluon_cbam.recognition.comparing import compare_images

    images = _one(first), _one(second)
    given = _threshold(threshold, distance, options)
    encoder, network = open_encoder(**options)
    found = compare_images(encoder, *images, given)
    size = encoder.session.preprocessing.image_size
    show_resized(len(found.resized), len(images), found.resized[0] if found.resized else None, size)
    show_verification(network)
    return {**found.as_dict(), **encoder.origin}, _comparison_text(found)


def _one(path: str) -> ImageSource:
    """The one image that an argument names."""
    from itertools import islice

    from gluon_cbam.data.sources.images import open_images

    found = list(islice(open_images([path]), 2))
    if len(found) != 1:
        raise UsageError(f'{path}: {"several images" if found else "no image"}, where one is compared')
    return found[0]


def _threshold(value: Optional[float], distance: str, options: Dict[str, Any]) -> Optional[Threshold]:
    """The threshold that is given, else that of the card of the weights."""
    from gluon_cbam.recognition.comparing import Threshold, threshold_of_figures

    if value is not None:
        low, high = (-1, 1) if distance == 'cosine' else (0, 4)
        if not low <= value <= high:
            raise UsageError(f'--threshold of --distance {distance} is in {low}..{high}, got {value}')
        return Threshold(value if distance == 'cosine' else 1 - value / 2, '--threshold')
    if options['params'] is None and options['pretrained'] is None:
        return None
    from gluon_cbam.pretrained.resolve import card_of, pretrained_of_flag

    weights = options['params'], pretrained_of_flag(options['pretrained'])
    try:
        card = card_of(*weights, name=options['network'])
    except UsageError:  # weights without a card
        return None
    metrics = card.metrics or {}
    figures = metrics if isinstance(metrics, dict) else metrics.values
    return threshold_of_figures(figures, f'the card of {weights[0] or weights[1]}')


def _comparison_text(found: FaceComparison) -> str:
    names = ' and '.join(map(printable, found.images))
    text = f'{names}: similarity {found.similarity:.4f}, squared distance {found.distance:.4f}'
    if found.threshold is None:
        return f'{text} (no threshold, no decision)'
    verdict = 'one person' if found.same else 'different persons'
    return f'{text}: {verdict} (similarity above {found.threshold.similarity:.4f}, {found.threshold.source})'


@click.command()
@click.argument('images', nargs=-1, metavar='[IMAGE]...')
@click.option('--embeddings', required=True, metavar='FILE', help='the file of cbam faces embed that is searched')
@click.option('--top-k', default=5, show_default=True, type=click.IntRange(1), help='results of each image')
@click.option(
    '--search-engine',
    type=click.Choice(['auto', 'faiss', 'numpy']),
    default='auto',
    show_default=True,
    help='faiss where it is installed, else numpy; both are exact',
)
@click.option('--ignore-weights', is_flag=True, help='search also in embeddings of other or unknown weights')
@input_options
@encoder_options
@common_options
def search(
    images: Tuple[str, ...], embeddings: str, top_k: int, search_engine: str, ignore_weights: bool, **options: Any
) -> Tuple[Dict[str, Any], str]:
    """Find the faces of a file of embeddings that are most similar to those on images.

    IMAGE is what 'cbam predict' takes.
    """
    import numpy as np

    from gluon_cbam.recognition.embedding_files import read_embeddings
    from gluon_cbam.recognition.origins import check_dimensions, check_origins
    from gluon_cbam.recognition.searching import search as run

    inputs = ImageInputs(images, *(options.pop(name) for name in INPUTS))
    sources, file = inputs.sources(), read_embeddings(embeddings)
    encoder, network = open_encoder(**options)
    check_origins(file, encoder.origin, 'the network', ignore_weights)
    found = list(encoder.encode(sources))
    read = [each for each in found if each.embedding is not None]
    _check_read(found, encoder, inputs.where)
    queries = np.stack([np.asarray(each.embedding) for each in read])
    check_dimensions(file, queries.shape[1], 'the network')
    rows, similarities, engine = run(file, queries, top_k, search_engine)
    show_verification(network)
    results = []
    for each, numbers, scores in zip(read, rows.tolist(), similarities.tolist()):
        near = [
            {**file.images[row].as_dict(), 'label': str(file.labels[row]), 'row': row, 'similarity': score}
            for row, score in zip(numbers, scores)
        ]
        results.append({**each.image.as_dict(), 'results': near})
    value = {'embeddings': embeddings, 'count': len(file), 'search_engine': engine, 'images': results}
    return value, '\n'.join(_search_lines(read, results))


def _check_read(found: List[Encoded], encoder: Encoder, where: str) -> None:
    """Refuse images that cannot be read, and say which were resized."""
    from gluon_cbam.inference.formats import Tally

    tally, size = Tally(len(found)), encoder.session.preprocessing.image_size
    for each in found:
        if each.error is not None:
            tally.add_failed(each.image.name, f'{each.image.name}: {each.error}')
    if not found:
        raise DataError(f'no images in {where}')
    tally.check()
    other = [other for each in found for other in each.resized_from(size)]
    show_resized(len(other), len(found), other[0] if other else None, size)


def _search_lines(read: List[Encoded], results: List[Dict[str, Any]]) -> List[str]:
    from gluon_cbam.tasks.prediction import ImageReference

    lines = []
    for each, result in zip(read, results):
        lines.append(printable(f'{each.image.name}:'))
        for near in result['results']:
            name = ImageReference(near['file'], near.get('number')).name
            label = f' ({near["label"]})' if near['label'] else ''
            lines.append(printable(f'  {near["similarity"]:.4f} {name}{label}'))
    return lines
