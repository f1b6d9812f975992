"""The tables, the plot and the text of the study of margins."""

from __future__ import annotations

import datetime
import platform
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Sequence, Tuple

import numpy as np
from study import Difference, draw_seeds, paired, plus_minus

from .pictures import CLASSES, FOLDS, SOURCES

_FIGURES: Dict[str, Callable[[Dict[str, Any]], float]] = {
    'accuracy': lambda scores: scores['accuracy'],
    'AUC': lambda scores: scores['auc'],
    'TAR at FAR 1e-2': lambda scores: scores['tar_at']['1e-02']['tar'],
}
"""Name of a figure in the tables -> its value among those of ``cbam faces verify``."""
_PLOTTED = 'AUC'
_TEXT = """\
# Faces: unseen identities at a small scale

**No face benchmark was run here**: no faces, no LFW, no IJB, and no network of the size that faces need. No package
that was found ships identities of faces. The classes of two sets of real pictures stand for identities instead:
scikit-learn's scans of handwritten digits (8 x 8 pixels) and the test photographs of Fashion-MNIST (28 x 28). What is
shown is that the whole way works: training with margin heads, embeddings, and verification of identities that no
network was trained on.

Each of {seeds} seeds withholds 3 of the 10 classes and draws other pictures, initial weights and pairs. The network is
trained on up to {of_class} pictures of each of the other 7 classes, less every fourth; those choose the epoch, by pairs
of trained classes. The table is for {pairs} random pairs of pictures of the withheld classes, half of them of one
class, by `cbam faces verify --no-flip`: mean and standard deviation over the seeds. Chance is an accuracy and an AUC of
0.5, and a TAR of 0.01. The last row compares the pixels themselves, each picture divided by its norm: what the
pictures give without learning.

{tables}

![AUC of every seed](faces.png)

## Differences from softmax

Mean over the seeds of the difference from softmax with the same seed, that is the same classes, pictures and pairs,
and its 95 % confidence interval by Student's t distribution of {freedom} degrees of freedom. Those that exclude 0 are
in bold.

{differences}

## Reading

{verdicts}
- An interval that contains 0 says that {seeds} seeds cannot tell the head from softmax here. {comparisons} intervals
  are looked at together: of so many, about {by_chance} exclude 0 by chance alone where no head differs.
- The deviation over the seeds is mostly that of the withheld classes: some are easy to tell apart and others are not
  ({withheld}). Differences within a seed leave it out.
- Margins were made for tens of thousands of identities with few pictures each. Seven classes of {of_class} pictures
  are the opposite, and how the heads rank here says nothing about faces. All heads have the recipe below, which was
  tuned for none of them; logits of normalized heads are scaled by 16 instead of 64, since few classes need less
  (equation 6 of CosFace asks for 7.5 with 7 classes and a probability of 0.999).

## How it was run

`{study}`, {date}: {runs} runs in {minutes:.1f} minutes, two at a time with
one thread each; other work on the machine lengthens this. Each run was

`{command}`

(`--scale` for normalized heads only), and `cbam faces verify`. Python {python}, mxnet 1.9.1, NumPy {numpy}.
`apt-get install dataset-fashion-mnist` installs the photographs. A small version on digits is one of the tests.
"""


class Outcome(NamedTuple):
    """The scores of a row.

    Attributes:
        source: the pictures, a key of SOURCES.
        head: the name of the head.
        scores: for each seed, a set of ``cbam faces verify --json``.
    """

    source: str
    head: str
    scores: List[Dict[str, Any]]

    def values(self, figure: str) -> List[float]:
        """A figure of every seed."""
        return [_FIGURES[figure](scores) for scores in self.scores]


def text(
    outcomes: Sequence[Outcome], withheld: Sequence[Sequence[int]], of_class: int, pairs: int, study: str,
    command: str, seconds: float,
) -> str:  # fmt: skip
    """The report, in Markdown.

    Args:
        outcomes: a row for each kind of pictures and head; softmax is the base of the differences.
        withheld: the withheld classes of each seed.
        of_class: the most pictures of a class.
        pairs: pairs of each kind in a fold.
        study: the command of the study.
        command: the command of a run.
        seconds: the duration of the study.
    """
    differences = list(_differences(outcomes))
    seeds = len(withheld)
    return _TEXT.format(
        seeds=seeds,
        of_class=of_class,
        pairs=f'{2 * pairs * FOLDS:,}',
        tables='\n\n'.join(_table(name, outcomes) for name in SOURCES),
        freedom=seeds - 1,
        differences='\n\n'.join(_difference_table(name, differences) for name in SOURCES),
        verdicts='\n'.join(_verdicts(outcomes, differences)),
        comparisons=len(differences),
        by_chance=f'{0.05 * len(differences):.1f}',
        withheld='; '.join(f'seed {seed}: {", ".join(map(str, each))}' for seed, each in enumerate(withheld)),
        date=datetime.date.today(),
        runs=sum(len(outcome.scores) for outcome in outcomes if not _is_pixels(outcome)),
        minutes=seconds / 60,
        study=study,
        command=command,
        python=platform.python_version(),
        numpy=np.__version__,
    )


def _is_pixels(outcome: Outcome) -> bool:
    return outcome.head.startswith('pixels')


def _of(source: str, outcomes: Sequence[Outcome]) -> List[Outcome]:
    return [outcome for outcome in outcomes if outcome.source == source]


def _table(source: str, outcomes: Sequence[Outcome]) -> str:
    lines = [f'| {SOURCES[source].title} | {" | ".join(_FIGURES)} |', '|---' * (1 + len(_FIGURES)) + '|']
    for outcome in _of(source, outcomes):
        lines.append(f'| {outcome.head} | {" | ".join(plus_minus(outcome.values(name), 3) for name in _FIGURES)} |')
    return '\n'.join(lines)


_Found = Tuple[str, str, str, Difference]  # pictures, head, figure


def _differences(outcomes: Sequence[Outcome]) -> Iterator[_Found]:
    for source in SOURCES:
        base, *others = [outcome for outcome in _of(source, outcomes) if not _is_pixels(outcome)]
        for outcome in others:
            for figure in _FIGURES:
                yield source, outcome.head, figure, paired(outcome.values(figure), base.values(figure))


def _difference_table(source: str, differences: Sequence[_Found]) -> str:
    lines = [f'| {SOURCES[source].title} | {" | ".join(_FIGURES)} |', '|---' * (1 + len(_FIGURES)) + '|']
    rows: Dict[str, List[str]] = {}
    for name, head, _, found in differences:
        if name == source:
            cell = f'{found.mean:+.3f} ({found.low:+.3f} to {found.high:+.3f})'
            rows.setdefault(head, []).append(f'**{cell}**' if found.differs else cell)
    return '\n'.join([*lines, *(f'| {head} | {" | ".join(cells)} |' for head, cells in rows.items())])


def _verdicts(outcomes: Sequence[Outcome], differences: Sequence[_Found]) -> Iterator[str]:
    """What the intervals say, and how softmax compares with the pixels."""
    for source in SOURCES:
        title = SOURCES[source].title
        found = [
            f'{head} {figure} {each.mean:+.3f}'
            for name, head, figure, each in differences
            if name == source and each.differs
        ]
        yield f'- {title}: intervals that exclude 0: {"; ".join(found) if found else "none"}.'
        rows = _of(source, outcomes)
        pixels = next(outcome for outcome in rows if _is_pixels(outcome))
        for outcome in (each for each in rows if not _is_pixels(each)):
            difference = paired(outcome.values(_PLOTTED), pixels.values(_PLOTTED))
            if outcome is rows[0] or difference.high < 0:
                yield (
                    f'- {title}: the {_PLOTTED} of {outcome.head} minus that of the pixels themselves is '
                    f'{difference.mean:+.3f} ({difference.low:+.3f} to {difference.high:+.3f}).'
                )


def draw(outcomes: Sequence[Outcome], path: Path) -> None:
    """A panel for each kind of pictures with every seed, their mean and standard deviation."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 3.8), dpi=120, layout='constrained')
    panels = figure.subplots(1, len(SOURCES), sharey=True, sharex=True)
    for axes, (source, about) in zip(panels, SOURCES.items()):
        rows = _of(source, outcomes)
        places = len(rows) - 1 - np.arange(len(rows))
        for color, is_kind in (('#2171b5', lambda each: not _is_pixels(each)), ('0.4', _is_pixels)):
            chosen = [(place, each.values(_PLOTTED)) for place, each in zip(places, rows) if is_kind(each)]
            draw_seeds(axes, *zip(*chosen), color=color)
        axes.axvline(0.5, color='0.4', linestyle=':')
        axes.set_yticks(places, [outcome.head for outcome in rows])
        axes.set_title(f'{about.title}: 3 of {CLASSES} classes withheld')
        axes.set_xlabel(f'{_PLOTTED} (dotted: chance)')
        axes.grid(axis='x', alpha=0.3)
    figure.suptitle('Verification of withheld classes: each seed, their mean and standard deviation')
    figure.savefig(str(path))
