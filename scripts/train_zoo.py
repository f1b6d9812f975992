"""Trains this project's weights, on handwritten digits and on Fashion-MNIST, and publishes them in ``zoo``.

A row of the table is a set of weights: its network, its data and its phases, each a run of ``cbam train`` that starts
from the weights of the one before. Fashion-MNIST is learned on small pictures first (progressive resizing, as in Tan
and Le, EfficientNetV2, ICML 2021, section 4), and without its test pictures: these choose no epoch and are scored once,
when the last epoch is published. A wheel contains the files below 1 MB (see setup.cfg); ``cbam zoo get`` downloads the
others from a release, where they must be uploaded.
"""

from __future__ import annotations

import configparser
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping, NamedTuple, Optional, Sequence, Tuple

import click
from study import ROOT, flags

_CBAM = str(Path(sys.executable).parent / 'cbam')
_CITATION = (
    'S. Woo, J. Park, J.-Y. Lee, I. S. Kweon: CBAM: Convolutional Block Attention Module. ECCV 2018. arXiv 1807.06521'
)
Phase = Mapping[str, Any]
"""Flags of ``cbam train``, without the dashes."""


class Weights(NamedTuple):
    """Weights of the zoo.

    Attributes:
        network: the name of the network.
        source: what their tag has after the network.
        data: a set of ``cbam data``, which is trained on and scored.
        phases: the runs, in turn.
        options: the network's options.
        dtype: the type of the published parameters.
        default: whether the network's name alone means these weights.
        threads: threads of the computation, on which the last digits depend.
    """

    network: str
    source: str
    data: str
    phases: Sequence[Phase]
    options: Tuple[str, ...] = ()
    dtype: str = 'float32'
    default: bool = False
    threads: int = 2

    @property
    def tag(self) -> str:
        """The tag in the zoo."""
        return f'{self.network}.{self.source}'


def _digits(network: str, epochs: int, **settings: Any) -> Weights:
    """Default weights of digits, whose best epoch is kept."""
    phase = {
        'image-size': 16,
        'optimizer': 'nag',
        'lr-mode': 'cosine',
        'augment': 'shift',
        'epochs': epochs,
        **settings,
    }
    dtype = 'float32' if network == 'cbamnet_tiny' else 'float16'
    return Weights(network, 'digits', 'digits', (phase,), dtype=dtype, default=True)


def _fashion(depth: int, source: str, epochs: Tuple[int, int], *options: str, attention: str, **how: Any) -> Weights:
    """Weights of Fashion-MNIST: epochs on images of 16 pixels, then epochs on images of 28."""
    common = {'recipe': 'fashion', 'wd': 2e-4, 'data-nthreads': 1}
    small, full = epochs
    phases = (
        {**common, 'image-size': 16, 'lr-mode': 'step', 'lr-step-epochs': small, 'warmup-epochs': 1, 'epochs': small},
        {**common, 'lr': 0.08, 'epochs': full},
    )
    own = ('in_channels=1', *options, *(('reduction=4',) if attention else ()))
    return Weights(f'cifar_{attention}resnet{depth}', source, 'fashion', phases, own, 'float16', threads=1, **how)


WEIGHTS: Dict[str, Weights] = {
    weights.tag: weights
    for weights in (
        _digits('cbamnet_tiny', 30, lr=0.1),
        _digits('cifar_cbam_resnet18', 12, lr=0.05, **{'warmup-epochs': 1}),
        *(
            _fashion(34, 'fashion_small', (8, 12), 'widen=0.125', 'stem_width=8', attention=attention, default=True)
            for attention in ('cbam_', '', 'se_')
        ),
    )
}
"""Tag -> how the weights are made."""


@click.command()
@click.option('--only', default=','.join(WEIGHTS), metavar='TAG,...', help='train these  [all]')
@click.option('--epochs', type=click.IntRange(1), help='epochs of each phase, to try the script')
@click.option('--zoo', default=ROOT / 'zoo', type=click.Path(path_type=Path), help='folder of cards and files')
@click.option('--work', default=ROOT / 'runs' / 'zoo', type=click.Path(path_type=Path), help='folder of data and runs')
@click.option('--fashion', 'fashion_source', type=click.Path(path_type=Path), help='folder of the IDX files')
def main(only: str, epochs: Optional[int], zoo: Path, work: Path, fashion_source: Optional[Path]) -> None:
    """Train weights and publish them; a run that is finished is not repeated, one that was stopped is resumed."""
    unknown = [tag for tag in only.split(',') if tag not in WEIGHTS]
    if unknown:
        raise click.UsageError(f'no weights {unknown[0]!r}: --only takes {", ".join(WEIGHTS)}')
    work.mkdir(parents=True, exist_ok=True)
    for tag in only.split(','):
        weights = WEIGHTS[tag]
        source = ['--source', str(fashion_source.resolve())] if fashion_source and weights.data == 'fashion' else []
        if not (work / weights.data / 'classes.txt').exists():
            _cbam(weights, work, ['data', weights.data, weights.data, '--force', *source])
        _train(weights, work, epochs)
        _publish(weights, work, zoo)
        click.echo(f'== {tag}: {zoo}')


def _cbam(weights: Weights, work: Path, words: List[str]) -> None:
    """Run a command in the folder of the work, so that cards and logs have no path of this machine."""
    environment = {**os.environ, 'OMP_NUM_THREADS': str(weights.threads)}
    if subprocess.run([_CBAM, *words], env=environment, cwd=work, check=False).returncode:
        raise click.ClickException(f'cbam {" ".join(words)} failed: see above')


def _train(weights: Weights, work: Path, epochs: Optional[int]) -> None:
    """Train the phases; the run of the last one has the tag as its name."""
    network = ['--network', weights.network, *(word for option in weights.options for word in ('--option', option))]
    start: List[str] = []
    for number, phase in enumerate(weights.phases, 1):
        run = weights.tag if number == len(weights.phases) else f'{weights.tag}-{number}'
        settings = {**phase, 'seed': 0, **({} if epochs is None else {'epochs': epochs})}
        # the digits are few: their best epoch is kept, as their card says
        scored = ['--data-val', f'{weights.data}/val.rec'] if weights.data == 'digits' else []
        if not (work / run / 'summary.json').exists():
            _cbam(weights, work, [
                'train', *network, *flags(settings), *start, '--data-train', f'{weights.data}/train.rec', *scored,
                '--resume', 'auto', '--output', run,
            ])  # fmt: skip
        start = ['--pretrained', run]


def _publish(weights: Weights, work: Path, zoo: Path) -> None:
    """Publish the weights with the score of the very bytes, in place of those that are there."""
    tag, new = weights.tag, work / 'new'
    shutil.rmtree(new, ignore_errors=True)
    with _free(ROOT / 'zoo' / 'cards' / f'{tag}.yaml'):
        _cbam(weights, work, [
            'zoo', 'publish', tag, '--name', tag, '--dtype', weights.dtype, '--data-val', f'{weights.data}/val.rec',
            *(['--default'] if weights.default else []), '--source', 'gluon_cbam, scripts/train_zoo',
            '--licence', 'Apache-2.0', '--citation', _CITATION, '--output', new.name,
        ])  # fmt: skip
    cards, files = zoo / 'cards', zoo / 'files'
    for folder in (cards, files):
        folder.mkdir(parents=True, exist_ok=True)
    for ending in ('params', 'json', 'log'):
        (new / f'{tag}.{ending}').replace(files / f'{tag}.{ending}')
    setup = configparser.ConfigParser()
    setup.read(ROOT / 'setup.cfg', encoding='utf-8')
    address = f'{setup["metadata"]["url"]}/releases/{tag}.params'
    card = (new / f'{tag}.yaml').read_text(encoding='utf-8')
    (cards / f'{tag}.yaml').write_text(card.replace(f'  - {tag}.params\n', f'  - {address}\n'), encoding='utf-8')


@contextmanager
def _free(card: Path) -> Iterator[None]:
    """Put a card of the package away for a while, so that its tag can be published anew."""
    aside = card.with_suffix('.aside')
    if card.exists():
        card.replace(aside)
    try:
        yield
    finally:
        if aside.exists():
            aside.replace(card)


if __name__ == '__main__':
    main()
