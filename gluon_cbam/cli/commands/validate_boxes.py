"""``cbam validate --results``: the scores of a file of detections, without a network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, Tuple

from gluon_cbam.common.errors import UsageError
from gluon_cbam.common.settings import flag
from gluon_cbam.common.text_table import aligned
from gluon_cbam.tasks import get_task

from .validate_outputs import Outputs

if TYPE_CHECKING:
    from gluon_cbam.tasks.detection.scored import ScoredBoxes

_MOST_CLASSES = 30  # rows of the table that is printed
_OF_NETWORK = ('network', 'params', 'pretrained', 'exported', 'classes', 'image_size', 'option', 'gpus', 'cpus', 'task')
_ROWS = (
    ('ap', 'ap50', 'ap75', 'ap_small', 'ap_medium', 'ap_large'),
    ('ar1', 'ar10', 'ar100', 'ar_small', 'ar_medium', 'ar_large'), ('voc07', 'voc'),
    ('mask_ap', 'mask_ap50', 'mask_ap75', 'mask_ap_small', 'mask_ap_medium', 'mask_ap_large'),
    ('mask_ar1', 'mask_ar10', 'mask_ar100', 'mask_ar_small', 'mask_ar_medium', 'mask_ar_large'),
)  # fmt: skip
"""The figures of each line."""


def score_file(results: str, data_val: str, outputs: Outputs, settings: Dict[str, Any]) -> Tuple[Dict[str, Any], str]:
    """Score a file of results.

    Args:
        results: the file.
        data_val: the true boxes, in any format.
        outputs: what is written.
        settings: the options of the network, none of which may be given.

    Returns:
        The value for ``--json``, and the text.

    Raises:
        UsageError: an option of a network is given, or a file exists.
        DataError: the data or the results are damaged, or do not fit.
    """
    from gluon_cbam.detection.box_data import open_box_data, score_results

    given = next((name for name in _OF_NETWORK if settings.get(name) not in (None, {}, ())), None)
    if given or outputs.save_results:
        name = flag(given) if given else '--save-results'
        raise UsageError(f'--results scores a file, without a network: leave {name} out')
    detection = get_task('detection')
    outputs.check(detection)
    scored = score_results(results, open_box_data(data_val, outputs.ids_of))
    value = {'results': results, 'data_val': data_val, **scored.scores.as_dict()}
    value.update(outputs.write(detection, scored, {'results': results, 'data': data_val}))
    return value, _text(scored, value)


def _text(scored: ScoredBoxes, value: Dict[str, Any]) -> str:
    scores = scored.scores
    lines = [f'{value["images"]} images, {value["objects"]} true boxes, {value["detections"]} detections']
    shown = ('  '.join(f'{name} {scores.figures[name]:.4f}' for name in row if name in scores.figures) for row in _ROWS)
    lines += [line for line in shown if line]
    rows = [list(map(_cell, row.values())) for row in scores.of_classes()]
    if 1 < len(rows) <= _MOST_CLASSES:
        lines.append(aligned([list(scores.of_classes()[0]), *rows]))
    if 'report' in value:
        lines.append(f'report: {value["report"]}')
    return '\n'.join(lines)


def _cell(value: Any) -> str:
    return '-' if value is None else f'{value:.4f}' if isinstance(value, float) else str(value)
