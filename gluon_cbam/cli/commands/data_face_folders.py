"""``cbam data faces``: folders of identities."""

from __future__ import annotations

from pathlib import Path
from typing import Iterator, Optional, Tuple

import click

from gluon_cbam.cli.options import NumberRange, force_option, settings_options
from gluon_cbam.cli.output import common_options
from gluon_cbam.cli.progress import progress_bar
from gluon_cbam.common.printable import printable

_NAMED = 10  # pictures of a kind in the text; --json has all


@click.command('faces')
@click.argument('source')
@click.argument('output')
@click.option('--landmarks', metavar='FILE|txt', help='.csv or .json of five points, or txt for a .txt beside each')
@click.option('--detector', metavar='FILE', help='.onnx of a YuNet that finds the faces and their landmarks')
@click.option('--min-score', 'threshold', type=NumberRange(0, 1), default=0.6, show_default=True, help='of a face')
@click.option('--align/--no-align', 'aligned', default=True, help='pictures that are aligned keep their bytes  [align]')
@click.option(
    '--size',
    type=click.Choice(['112x112', '96x112']),
    default='112x112',
    show_default=True,
    help='width x height of a face in pixels',
)
@click.option('--quality', type=click.IntRange(1, 100), default=95, show_default=True, help='quality of JPEG')
@click.option('--png', is_flag=True, help='PNG, without loss  [JPEG]')
@click.option('--skip-bad', is_flag=True, help='leave out pictures that cannot be decoded or aligned')
@settings_options('workers')
@force_option
@common_options
def data_faces(
    source: str,
    output: str,
    landmarks: Optional[str],
    detector: Optional[str],
    threshold: float,
    aligned: bool,
    size: str,
    quality: int,
    png: bool,
    skip_bad: bool,
    workers: Optional[int],
    overwrite: bool,
) -> Tuple[dict, str]:
    """Pack identity folders of SOURCE in insightface's format: OUTPUT/train.rec, .idx, property and classes.txt.

    Faces are aligned by five landmarks: both eyes, the nose, both corners of the mouth, the picture's left one first,
    in pixels. A table has a line path,x1,y1,...,x5,y5 for each picture, or a JSON mapping of the path to five [x, y].
    Of several faces that a detector finds, the one that is largest and nearest to the center is taken. Pictures without
    landmarks or without a face are left out and named.
    """
    from gluon_cbam.compat.threads import usable_cpus
    from gluon_cbam.data.faces.packing import FaceFormat, PackedFaces, pack_faces

    width, height = map(int, size.split('x'))
    network = None if detector is None else Path(detector)
    form = FaceFormat(width, height, aligned, network, threshold, None if png else quality)
    count = workers or usable_cpus()
    done = pack_faces(source, output, landmarks, form, skip_bad, count, progress_bar, overwrite)
    sets = [
        {
            'file': str(each.path), 'pictures': each.pictures, 'without_face': each.without_face, 'bad': each.bad,
            'empty_classes': done.empty_of(each.path),
        }
        for each in done
    ]  # fmt: skip

    def lines(packed: PackedFaces) -> Iterator[str]:
        yield f'{printable(packed.path)}: {packed.pictures} pictures'
        for kind, left_out in (('without face', packed.without_face), ('bad', packed.bad)):
            if left_out:
                yield f'left out: {len(left_out)} {kind}'
            yield from (f'  {printable(path)}: {reason}' for path, reason in list(left_out.items())[:_NAMED])

    text = [line for packed in done for line in lines(packed)] + done.as_lines()
    return {'output': output, 'layout': done.layout, 'sets': sets, 'left_out': done.left_out.as_dict()}, '\n'.join(text)
