"""Tables 4 and 5 of the CBAM paper (arXiv 1807.06521v2) next to the counts of the models here.

The figures of the paper are the rows of :data:`PAPER`, as printed; ours are counted on the graphs of the networks.
"""

from __future__ import annotations

import csv
import io
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, Dict, Iterable, Optional, Sequence, Tuple

from .registry import build, option_names

if TYPE_CHECKING:
    from .complexity import Complexity


@dataclass(frozen=True)
class PaperFigures:
    """A line of a table as the paper prints it; None where the figure is not available.

    Attributes:
        table: 4 or 5.
        name: the name of the model here.
        parameters: the number of parameters, in millions.
        gflops: multiply-adds for one image of 224 x 224 pixels, in 1e9.
        top1: top-1 error on ImageNet-1K, one crop, in percent.
        top5: top-5 error, likewise.
    """

    table: int
    name: str
    parameters: Optional[str]
    gflops: str
    top1: str
    top5: Optional[str]


PAPER = (
    PaperFigures(4, 'resnet18', '11.69', '1.814', '29.60', '10.55'),
    PaperFigures(4, 'se_resnet18', '11.78', '1.814', '29.41', '10.22'),
    PaperFigures(4, 'cbam_resnet18', '11.78', '1.815', '29.27', '10.09'),
    PaperFigures(4, 'resnet34', '21.80', '3.664', '26.69', '8.60'),
    PaperFigures(4, 'se_resnet34', '21.96', '3.664', '26.13', '8.35'),
    PaperFigures(4, 'cbam_resnet34', '21.96', '3.665', '25.99', '8.24'),
    PaperFigures(4, 'resnet50', '25.56', '3.858', '24.56', '7.50'),
    PaperFigures(4, 'se_resnet50', '28.09', '3.860', '23.14', '6.70'),
    PaperFigures(4, 'cbam_resnet50', '28.09', '3.864', '22.66', '6.31'),
    PaperFigures(4, 'resnet101', '44.55', '7.570', '23.38', '6.88'),
    PaperFigures(4, 'se_resnet101', '49.33', '7.575', '22.35', '6.19'),
    PaperFigures(4, 'cbam_resnet101', '49.33', '7.581', '21.51', '5.69'),
    PaperFigures(4, 'wide_resnet18_x1_5', '25.88', '3.866', '26.85', '8.88'),
    PaperFigures(4, 'se_wide_resnet18_x1_5', '26.07', '3.867', '26.21', '8.43'),
    PaperFigures(4, 'cbam_wide_resnet18_x1_5', '26.08', '3.868', '26.10', '8.43'),
    PaperFigures(4, 'wide_resnet18_x2_0', '45.62', '6.696', '25.63', '8.20'),
    PaperFigures(4, 'se_wide_resnet18_x2_0', '45.97', '6.696', '24.93', '7.65'),
    PaperFigures(4, 'cbam_wide_resnet18_x2_0', '45.97', '6.697', '24.84', '7.63'),
    PaperFigures(4, 'resnext50_32x4d', '25.03', '3.768', '22.85', '6.48'),
    PaperFigures(4, 'se_resnext50_32x4d', '27.56', '3.771', '21.91', '6.04'),
    PaperFigures(4, 'cbam_resnext50_32x4d', '27.56', '3.774', '21.92', '5.91'),
    PaperFigures(4, 'resnext101_32x4d', '44.18', '7.508', '21.54', '5.75'),
    PaperFigures(4, 'se_resnext101_32x4d', '48.96', '7.512', '21.17', '5.66'),
    PaperFigures(4, 'cbam_resnext101_32x4d', '48.96', '7.519', '21.07', '5.59'),
    PaperFigures(5, 'mobilenet0.7', None, '0.283', '34.86', None),
    PaperFigures(5, 'se_mobilenet0.7', None, '0.283', '32.50', None),
    PaperFigures(5, 'cbam_mobilenet0.7', None, '0.289', '31.51', None),
    PaperFigures(5, 'mobilenet1.0', None, '0.569', '31.39', None),
    PaperFigures(5, 'se_mobilenet1.0', None, '0.570', '29.97', None),
    PaperFigures(5, 'cbam_mobilenet1.0', None, '0.576', '29.01', None),
)
"""The lines of both tables, without the parameters and top-5 errors of table 5."""

SIZE = 224
"""Height and width of the images for which the paper counts, in pixels."""
PAPER_STRIDE = {'bottleneck_stride': '1x1'}
"""The option that the GFLOPs of the paper need, for the models that have it."""


@dataclass(frozen=True)
class Comparison:
    """Our counts next to a line of the paper.

    Attributes:
        table: 4 or 5.
        name: the name of the model.
        parameters: trainable parameters, counted.
        gflops: multiply-adds in 1e9 at 224 x 224 with the paper's stride, counted.
        default_gflops: the same with the stride of the official code, the default of the models.
        paper_parameters: the number of parameters in millions, as printed.
        paper_gflops: the GFLOPs, as printed.
        paper_top1_error: the top-1 error in percent, as printed; not measured here.
        paper_top5_error: the top-5 error, likewise.
        differs: which of ``parameters`` and ``gflops`` differ from the paper after rounding.
    """

    table: int
    name: str
    parameters: int
    gflops: float
    default_gflops: float
    paper_parameters: Optional[str]
    paper_gflops: str
    paper_top1_error: str
    paper_top5_error: Optional[str]
    differs: Tuple[str, ...]

    def as_dict(self) -> Dict[str, Any]:
        """Return the attributes by name, the figures of the paper as numbers."""
        values = asdict(self)
        for key, value in values.items():
            if key.startswith('paper_') and value is not None:
                values[key] = float(value)
        return {**values, 'differs': list(self.differs)}


def compare(figures: PaperFigures) -> Comparison:
    """Build the network of a line and count it.

    Args:
        figures: the line.

    Returns:
        Both counts.
    """
    papers, default = _count(figures.name, **PAPER_STRIDE), _count(figures.name)
    printed = {
        'parameters': (figures.parameters, f'{papers.parameters / 1e6:.2f}'),
        'gflops': (figures.gflops, f'{papers.macs / 1e9:.3f}'),
    }
    return Comparison(
        table=figures.table,
        name=figures.name,
        parameters=papers.parameters,
        gflops=papers.macs / 1e9,
        default_gflops=default.macs / 1e9,
        paper_parameters=figures.parameters,
        paper_gflops=figures.gflops,
        paper_top1_error=figures.top1,
        paper_top5_error=figures.top5,
        differs=tuple(key for key, (paper, ours) in printed.items() if paper not in (None, ours)),
    )


def _count(name: str, **options: Any) -> Complexity:
    """The complexity of a model, with those of ``options`` that it has."""
    from .complexity import complexity

    known = option_names(name)
    net = build(name, **{option: value for option, value in options.items() if option in known})
    return complexity(net, (1, 3, SIZE, SIZE))


def as_csv(rows: Iterable[Comparison]) -> str:
    """Write the comparisons as comma-separated values.

    Args:
        rows: the comparisons.

    Returns:
        A line of names and a line for each comparison; a missing figure is an empty field.
    """
    file = io.StringIO()
    writer = csv.DictWriter(file, [entry.name for entry in fields(Comparison)], lineterminator='\n')
    writer.writeheader()
    for row in rows:
        writer.writerow({**asdict(row), 'differs': ' '.join(row.differs)})
    return file.getvalue().rstrip('\n')


_WIDTHS = (5, 24, 11, 7, 8, 9, 8, 9, 10, 10)
_HEADS = (
    ('', '', 'parameters', '', '', 'GFLOPs', '', '', "paper's", "paper's"),
    ('table', 'network', 'ours', '/ 1e6', 'paper', '1x1', 'paper', 'default', 'top-1 err', 'top-5 err'),
)


def as_text(rows: Iterable[Comparison]) -> str:
    """Write the comparisons as a human-readable table.

    Args:
        rows: the comparisons.

    Returns:
        The table, with a ``!`` after a figure of ours that differs from the paper, and the notes.
    """
    lines = [_line(head) for head in _HEADS]
    wrong = count = 0
    for row in rows:
        count, wrong = count + 1, wrong + bool(row.differs)
        parameters, gflops = ('!' if key in row.differs else ' ' for key in ('parameters', 'gflops'))
        millions, paper = f'{row.parameters / 1e6:.2f}{parameters}', row.paper_parameters or '-'
        spent, default = f'{row.gflops:.3f}{gflops}', f'{row.default_gflops:.3f}'
        errors = row.paper_top1_error, row.paper_top5_error or '-'
        cells = (row.table, row.name, f'{row.parameters:,}', millions, paper, spent, row.paper_gflops, default, *errors)
        lines.append(_line(cells))
    verdict = f'{wrong} of {count} models differ' if wrong else f'all {count} models agree with the printed counts'
    return '\n'.join((*lines, f'Compared with the paper: {verdict} (! marks a difference).', *_NOTES))


def _line(cells: Sequence[object]) -> str:
    """A line of the table: the first two columns flush left, the others flush right."""
    first, second, *rest = zip(cells, _WIDTHS)
    right = ''.join(f'{cell!s:>{width + 1}}' for cell, width in rest)
    return f'{first[0]!s:{first[1]}} {second[0]:{second[1]}}{right}'.rstrip()


_NOTES = (
    f'GFLOPs: multiply-adds / 1e9 at {SIZE} x {SIZE}; 1x1: bottleneck_stride=1x1, which the paper counts.',
    'errors: top-1 and top-5 in %, as the paper prints them, not measured here. -: not available for table 5.',
)
