"""``cbam zoo verify`` and ``cbam zoo publish``: scoring published weights, and publishing those of a run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Sequence, cast

import click

from gluon_cbam.cli.options import card_options, force_option, settings_options
from gluon_cbam.cli.output import Result, common_options
from gluon_cbam.cli.progress import progress_bar
from gluon_cbam.common.errors import UsageError
from gluon_cbam.common.printable import printable

from .network_options import show_warnings

if TYPE_CHECKING:
    from gluon_cbam.publishing.verify import Verdict
    from gluon_cbam.tasks.classes import ClassCheck
    from gluon_cbam.zoo import Published


@click.command('verify')
@click.argument('names', nargs=-1, metavar='[NAME]...')
@click.option('--data-val', '--rec-val', 'data_val', metavar='FILE', help='a .rec file with its .idx, to score them on')
@card_options
@settings_options('batch_size', 'gpus', 'cpus', 'workers', 'label_index', 'ignore_classes')
@common_options
def zoo_verify(
    names: Sequence[str],
    data_val: Optional[str],
    root: Optional[str],
    registries: Sequence[str],
    offline: Optional[bool],
    **settings: Any,
) -> Result:
    """Compare the hashes of local weights with their cards, and with --data-val also their accuracies.

    Without a NAME, the hashes of all local weights are compared. An accuracy stated by a publisher may differ from the
    measured one by a percentage point, since decoders and resizing differ; an accuracy stated by this project must be
    reproduced. The results are stored, and shown by list and info.
    """
    from gluon_cbam import zoo
    from gluon_cbam.zoo.verified import check

    if data_val and not names:
        raise UsageError('--data-val needs the NAME of the weights to score')
    cards = [zoo.find(name, registries, root, offline) for name in names]
    cards = cards or [card for card in zoo.cards(None, registries, root, offline) if zoo.is_cached(card, root)]
    checked = [(card, check(card, root)) for card in cards]
    verdicts = [_scored(card, files[0], data_val, root, **settings) for card, files in checked] if data_val else []
    entries: List[Dict[str, Any]] = [
        {'tag': card.tag, 'files': [str(path) for path in files]} for card, files in checked
    ]
    for entry, verdict in zip(entries, verdicts):
        entry.update(verdict.as_dict())
    lines = [f'{entry["tag"]}: intact: {", ".join(entry["files"])}' for entry in entries]
    lines += [line for verdict in verdicts for line in _comparison(verdict)]
    return {'weights': entries}, '\n'.join(lines) or 'there are no local weights'


def _scored(
    card: Published,
    path: Path,
    data_val: str,
    root: Optional[str],
    gpus: Optional[str],
    cpus: Optional[int],
    batch_size: int,
    workers: Optional[int],
    label_index: Optional[int],
    ignore_classes: bool,
) -> Verdict:
    """Measure the accuracy of weights, and record it in the store; raises if it contradicts the card."""
    from gluon_cbam.compat import devices
    from gluon_cbam.compat.threads import usable_cpus
    from gluon_cbam.publishing.verify import verify
    from gluon_cbam.zoo.verified import record

    ctx = devices.contexts(gpus, cpus)
    verdict = verify(
        card, path, data_val, ctx, batch_size, workers or usable_cpus(), progress_bar, label_index, ignore_classes
    )
    record(card, verdict.as_dict(), root)
    verdict.check()
    show_warnings(verdict.classes)
    return verdict


def _comparison(verdict: Verdict) -> List[str]:
    """Lines that compare the measured with the stated accuracies."""
    measured_by = {'publisher': "the publisher's", 'verified': 'measured by this project'}[verdict.card.measured_by]
    measured = verdict.evaluation.as_dict()
    lines = [
        f'{verdict.tag} {name}: {measured[name]:.4f} on {verdict.data}, stated {value:.4f} ({measured_by}), '
        f'difference {verdict.differences[name]:+.4f}'
        for name, value in verdict.stated.items()
    ]
    words = {True: 'agrees with', False: 'differs from', None: 'has nothing to compare with on'}[verdict.agrees]
    return [*lines, f'{verdict.tag} {words} its card (tolerance {verdict.tolerance:.4f})']


@click.command('publish')
@click.argument('run', metavar='RUN')
@click.option('--name', required=True, metavar='N', help='the network, or a whole tag NETWORK.SOURCE')
@click.option('--tag-source', metavar='S', help='source in the tag NETWORK.S  [folder of the validation data]')
@click.option('--data-val', '--rec-val', 'data_val', metavar='FILE', help="a .rec file with its .idx  [the run's]")
@click.option(
    '--dtype', default='float32', show_default=True, metavar='TYPE', help='float32, or float16 for half the size'
)
@click.option('--default', is_flag=True, help='make these the default weights of the network')
@click.option('--licence', metavar='NAME', help='license of the file')
@click.option('--source', metavar='TEXT', help='project or person that made the weights')
@click.option('--citation', metavar='TEXT', help='citation of the paper')
@click.option(
    '--address', '--url', 'addresses', multiple=True, metavar='URL', help='a further URL of the file; may be repeated'
)
@click.option('-o', '--output', required=True, metavar='DIR', help='folder of the files, which is a registry')
@settings_options('batch_size', 'gpus', 'cpus', 'workers', 'ignore_classes')
@force_option
@common_options
def zoo_publish(
    run: str,
    output: str,
    data_val: Optional[str],
    gpus: Optional[str],
    cpus: Optional[int],
    batch_size: int,
    workers: Optional[int],
    overwrite: bool,
    ignore_classes: bool,
    **about: Any,
) -> Result:
    """Publish the run folder RUN as weights, in a folder DIR that any static web server can serve.

    The accuracies on the card are measured with the published file; every record counts exactly once. The command
    `cbam zoo get TAG --registry http://HOST/DIR/registry.yaml` then downloads the weights.
    """
    from gluon_cbam.compat import devices
    from gluon_cbam.compat.threads import usable_cpus
    from gluon_cbam.publishing.publish import About, publish
    from gluon_cbam.tasks import get_task

    ctx = devices.contexts(gpus, cpus)
    workers, checks = workers or usable_cpus(), cast('List[ClassCheck]', [])
    card = publish(
        run, output, About(**about), ctx, data_val, batch_size, workers, progress_bar, overwrite, ignore_classes,
        checks.append,
    )  # fmt: skip
    show_warnings(checks[0])
    task = get_task(card.task)
    score = f'{task.text(card.metrics.values)} of {card.metrics.records} records'
    place = printable(f'{output}/{card.tag}')
    text = f'{place}.params: {card.bytes:,} bytes, {score}\ncard: {place}.yaml'
    return {'output': str(output), 'card': card.as_dict(), **checks[0].as_dict()}, text
