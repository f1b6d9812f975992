"""``cbam zoo``: listing, downloading, verifying and publishing weights."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Optional, Sequence, Tuple, TypeVar, cast

import click

from gluon_cbam.cli.errors import Group
from gluon_cbam.cli.options import force_option, settings_options
from gluon_cbam.cli.output import Result, common_options
from gluon_cbam.cli.progress import byte_progress, progress_bar
from gluon_cbam.common.errors import UsageError
from gluon_cbam.common.printable import printable
from gluon_cbam.common.text_table import aligned

from .network_options import show_warnings

if TYPE_CHECKING:
    from gluon_cbam.publishing.verify import Verdict
    from gluon_cbam.tasks.classes import ClassCheck
    from gluon_cbam.tasks.figures import Figure
    from gluon_cbam.zoo import Published
    from gluon_cbam.zoo.location import Progress

Decorated = TypeVar('Decorated', bound=Callable[..., Any])

_ROOT = click.option('--root', metavar='DIR', help='folder of the store  [CBAM_HOME/models, MXNET_HOME/models, ...]')
_REGISTRY = click.option(
    '--registry', 'registries', multiple=True, metavar='FILE|URL', help='further registry of cards; may be repeated'
)
_OFFLINE = click.option('--offline', is_flag=True, default=None, help='download nothing  [CBAM_ZOO_OFFLINE]')


def _card_options(function: Decorated) -> Decorated:
    """Add the options that locate cards and files."""
    for option in (_OFFLINE, _REGISTRY, _ROOT):
        function = option(function)
    return function


@click.group('zoo', cls=Group)
def zoo_group() -> None:
    """List, download, verify and publish weights."""


@zoo_group.command('list')
@_card_options
@common_options
def zoo_list(root: Optional[str], registries: Sequence[str], offline: Optional[bool]) -> Result:
    """List all weights; * marks the default of a network."""
    from gluon_cbam import zoo

    cards = sorted(zoo.cards(None, registries, root, offline), key=lambda card: (card.network, not card.default))
    entries = [_entry(card, root) for card in cards]
    figures = _figures(cards)
    rows = [_row(card, entry, figures) for card, entry in zip(cards, entries)]
    heads: Tuple[str, ...] = ('weights', *(figure.label for figure in figures), 'measured by', 'MB', 'here')
    if any(card.stored for card in cards):  # those that are in no registry of this call
        heads = (*heads, 'from')
        rows = [(*row, card.registry or '-') for row, card in zip(rows, cards)]
    return {'weights': entries}, aligned([heads, *rows])


def _figures(cards: Sequence[Published]) -> List[Figure]:
    """The distinct figures that the tasks of some cards compare."""
    from gluon_cbam.tasks import get_task

    tasks = {name: get_task(name) for name in [card.task for card in cards] or [None]}
    figures = {name: task.figure(name) for task in tasks.values() for name in task.compared}
    for card in cards:
        task = tasks[card.task]
        for name in task.compared_in(card.metrics.values):
            figures.setdefault(name, task.figure(name))
    return list(figures.values())


def _entry(card: Published, root: Optional[str]) -> Dict[str, Any]:
    """A card as a value for --json."""
    from gluon_cbam import zoo
    from gluon_cbam.zoo.verified import verified

    local = {'cached': zoo.is_cached(card, root), 'verified': verified(card, root)}
    return {'name': card.network, 'sha256': None, **card.as_dict(), 'registry': card.registry, **local}


def _row(card: Published, entry: Dict[str, Any], figures: Sequence[Figure]) -> Tuple[str, ...]:
    """A card as a row of the table."""
    stated = card.metrics.values
    return (
        f'{card.tag} *' if card.default else card.tag,
        *(f'{stated[figure.name]:.4f}' if figure.name in stated else '-' for figure in figures),
        card.metrics.measured_by,
        f'{card.bytes / 1e6:.1f}' if card.bytes else '-',
        'verified' if entry['verified'] else 'yes' if entry['cached'] else 'no',
    )


@zoo_group.command('info')
@click.argument('name')
@_card_options
@common_options
def zoo_info(name: str, root: Optional[str], registries: Sequence[str], offline: Optional[bool]) -> Result:
    """Show the card of weights: NAME is a tag, or a network for its default weights."""
    import yaml

    from gluon_cbam import zoo

    card = zoo.find(name, registries, root, offline)
    text = yaml.safe_dump({'tag': card.tag, **card.as_dict()}, sort_keys=False, width=118).rstrip()
    entry = _entry(card, root)
    return entry, '\n'.join([text, f'# registry: {card.registry or "not known"}', *_remarks(card, entry['verified'])])


def _remarks(card: Published, verified: Optional[Dict[str, Any]]) -> List[str]:
    """Comments on a card: who measured the metrics, and whether a hash is published."""
    from gluon_cbam.tasks import get_task

    remarks = []
    if verified:
        measured = verified['metrics']
        names = get_task(card.task).compared_in(measured)
        score = ', '.join(f'{name} {measured[name]:.4f}' for name in names)
        remarks.append(f'# verified here on {verified["date"][:10]}: {score} on {verified["data"]}')
    elif card.metrics.measured_by == 'publisher':
        remarks.append('# the metrics are stated by the publisher and were not verified here')
    if not card.hashes:
        remarks.append('# no hash is published: the hash of the first file is kept, and later files must have it')
    return remarks


@zoo_group.command('get')
@click.argument('name')
@_card_options
@common_options
def zoo_get(name: str, root: Optional[str], registries: Sequence[str], offline: Optional[bool]) -> Result:
    """Download weights, unless the store has them: NAME is a tag, or a network for its default weights."""
    from gluon_cbam import zoo

    card = zoo.find(name, registries, root, offline)
    cached = zoo.cached(card, root)
    with byte_progress(card.tag) as progress:
        path = cached or _get(card, root, offline, progress)
    if not cached and not card.hashes:
        click.echo(f'cbam: no hash is published for {card.tag}: this file was trusted, and its hash is kept', err=True)
    return _file(path, bool(cached))


def _get(card: Published, root: Optional[str], offline: Optional[bool], progress: Progress) -> Path:
    """Download weights, and convert them if necessary; only a conversion imports mxnet."""
    if card.conversion == 'none':
        from gluon_cbam import zoo

        return zoo.get(card, root, offline, progress)
    from gluon_cbam.pretrained.locate import get

    return get(card, root, offline, progress)


def _file(path: Path, cached: bool) -> Result:
    """The result for a parameter file of ours."""
    from gluon_cbam.zoo.store import read_card

    card = read_card(path)
    return {'path': str(path), 'sha256': card.sha256, 'bytes': card.bytes, 'cached': cached}, str(path)


@zoo_group.command('path')
@click.argument('name')
@_card_options
@common_options
def zoo_path(name: str, root: Optional[str], registries: Sequence[str], offline: Optional[bool]) -> Result:
    """Print the path of a parameter file in the store, after comparing its hash."""
    from gluon_cbam import zoo

    return _file(zoo.file_of(zoo.find(name, registries, root, offline), root), True)


@zoo_group.command('add')
@click.argument('file')
@click.argument('name', required=False)
@click.option('--tag', metavar='TAG', help='the same as NAME')
@_card_options
@settings_options('ignore_classes')
@common_options
def zoo_add(
    file: str,
    name: Optional[str],
    tag: Optional[str],
    ignore_classes: bool,
    root: Optional[str],
    registries: Sequence[str],
    offline: Optional[bool],
) -> Result:
    """Add a local FILE to the store: NAME is the tag of its weights, or a network.

    FILE is the file that would be downloaded, as an archive or unpacked, or the parameter file of another store with
    its card next to it. It is compared with the card of the weights; if this has no hash, the hash of FILE is recorded.
    """
    from gluon_cbam import zoo

    if bool(name) == bool(tag):
        raise UsageError(f'zoo add takes FILE and NAME, or FILE and --tag, got {name!r} and --tag {tag!r}')
    added = zoo.add(file, zoo.find(name or tag or '', registries, root, offline), root, ignore_classes)
    return {'path': str(added.path), 'sha256': added.sha256, 'bytes': added.bytes}, str(added.path)


@zoo_group.command('remove')
@click.argument('name')
@_card_options
@common_options
def zoo_remove(name: str, root: Optional[str], registries: Sequence[str], offline: Optional[bool]) -> Result:
    """Remove weights from the store: NAME is a tag, or a network for its default weights."""
    from gluon_cbam import zoo

    tag = name if zoo.files_of(name, root) else zoo.find(name, registries, root, offline).tag
    removed = [str(path) for path in zoo.remove(tag, root)]
    return {'removed': removed}, '\n'.join(removed)


@zoo_group.command('verify')
@click.argument('names', nargs=-1, metavar='[NAME]...')
@click.option('--data-val', '--rec-val', 'data_val', metavar='FILE', help='a .rec file with its .idx, to score them on')
@_card_options
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


@zoo_group.command('publish')
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
