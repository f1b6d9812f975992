"""``cbam train``: training, dry runs, and printing of the configuration."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Tuple

import click

from gluon_cbam.cli.options import Option, SectionedCommand, add_options, settings_options, task_options
from gluon_cbam.cli.output import common_options
from gluon_cbam.cli.progress import ProgressLine, progress_bar, show_log
from gluon_cbam.common.printable import printable
from gluon_cbam.training.config.train_config import SETTINGS, TrainConfig

if TYPE_CHECKING:
    from gluon_cbam.training.config.resolution import ResolvedSettings

_FILES, _RUN = SETTINGS['recipe'].metadata['section'], 'Instead of training'
_FIRST_OF_RUN = 'output'  # the setting that begins the section
_FIND_LR = [
    click.option(
        '--find-lr',
        is_flag=False,
        flag_value='',
        metavar='[FILE.png]',
        cls=Option,
        section=_RUN,
        help='train some steps with a growing learning rate, plot the loss and suggest a rate; keep nothing else  '
        '[lr_range.png, in --output if given]',
    ),
    click.option(
        '--find-lr-min', type=float, default=1e-6, show_default=True, metavar='X', cls=Option, section=_RUN,
        help='first learning rate of --find-lr',
    ),
    click.option(
        '--find-lr-max', type=float, default=10.0, show_default=True, metavar='X', cls=Option, section=_RUN,
        help='last learning rate of --find-lr',
    ),
    click.option(
        '--find-lr-steps', type=click.IntRange(10), default=100, show_default=True, metavar='N', cls=Option,
        section=_RUN, help='steps of --find-lr',
    ),
]  # fmt: skip


def _resolved(ctx: click.Context, settings: Dict[str, Any], config_file: Optional[str]) -> ResolvedSettings:
    """Resolve the settings from flags, a recipe, a file, or the run to resume."""
    from gluon_cbam.training import resolve

    default = click.core.ParameterSource.DEFAULT
    given = {name: value for name, value in settings.items() if ctx.get_parameter_source(name) is not default}
    return resolve(given, config_file)


def _train(config: TrainConfig) -> Tuple[Dict[str, Any], str]:
    """Train; the summary of the run, and its text."""
    from gluon_cbam.training import train as run
    from gluon_cbam.training.config.task_settings import task_of

    show_log()
    summary = run(config, progress=ProgressLine())
    output, best = printable(summary['output']), summary['best']
    text = f'{summary["epochs"]} epochs, {summary["steps"]} steps in {summary["seconds"]:.0f} s\n'
    if best:
        figure = task_of(config.as_dict()).best
        within = best['step'] * summary['epochs'] != best['epoch'] * summary['steps']
        at = f'epoch {best["epoch"]}' + (f', step {best["step"]}' if within else '')
        text += f'best {figure.text(best[figure.name])} in {at}: {output}/checkpoints/best.params\n'
    return summary, text + f'curves: {output}/curves.png'


def _dry_run(config: TrainConfig) -> Tuple[Dict[str, Any], str]:
    """Make a dry run; its report, and the text of the report."""
    from gluon_cbam.training.loop.dry_run import dry_run

    report = dry_run(config)
    return report.as_dict(), report.as_text()


def _print_config(resolved: ResolvedSettings) -> Tuple[Dict[str, Any], str]:
    """The settings with their sources, and with what the network, the data and this machine fill in."""
    config, used = resolved.config.check_values(), {}
    if config.network or config.data_train or config.pretrained:  # what depends on them imports mxnet
        from gluon_cbam.training.setup import open_values

        values = open_values(config)
        resolved, used = resolved.filled(values), {name: value for name, (value, _) in values.items()}
    value = resolved.as_dict()
    known = {name: each for name, each in value['settings'].items() if each is not None}
    return {**value, 'used': {**used, **known}}, resolved.as_yaml()


def _find_lr(config: TrainConfig, plot: str, smallest: float, largest: float, steps: int) -> Tuple[Dict[str, Any], str]:
    """Run the learning-rate range test; its results, and their text."""
    from gluon_cbam.training.loop.lr_range import find_learning_rate

    path = plot or os.path.join(config.output or '', 'lr_range.png')
    found = find_learning_rate(config, path, smallest, largest, steps, progress_bar)
    return found.as_dict(), found.as_text()


def _show_batch(config: TrainConfig, picture: str) -> Tuple[Dict[str, Any], str]:
    """Draw the first batch; what the picture shows, and its text."""
    from gluon_cbam.training.loop.batch_sheet import show_batch

    shown = show_batch(config, picture or os.path.join(config.output or '', 'batch.png'))
    return shown.as_dict(), shown.as_text()


class _TrainCommand(SectionedCommand):
    """Adds the settings of every task before the settings of the run. Tasks are imported when the command is used."""

    def get_params(self, ctx: click.Context) -> List[click.Parameter]:
        """The parameters."""
        parameters = super().get_params(ctx)
        place = next(number for number, each in enumerate(parameters) if each.name == _FIRST_OF_RUN)
        return [*parameters[:place], *task_options(), *parameters[place:]]


@click.command(cls=_TrainCommand)
@settings_options('recipe')
@click.option(
    '--config', 'config_file', metavar='FILE', cls=Option, section=_FILES, help='YAML or JSON file with settings'
)
@settings_options(*(name for name in SETTINGS if name != 'recipe'))
@click.option(
    '--print-config',
    is_flag=True,
    cls=Option,
    section=_RUN,
    help='print the settings of the run, and where each is from',
)
@click.option(
    '--dry-run',
    is_flag=True,
    cls=Option,
    section=_RUN,
    help='build everything, train one step, print estimates; write nothing',
)
@click.option(
    '--show-batch',
    is_flag=False,
    flag_value='',
    metavar='[FILE.png]',
    cls=Option,
    section=_RUN,
    help='draw the first batch, augmented, with its labels; train nothing  [batch.png, in --output if given]',
)
@add_options(_FIND_LR)
@common_options
@click.pass_context
def train(
    ctx: click.Context,
    config_file: Optional[str],
    print_config: bool,
    dry_run: bool,
    show_batch: Optional[str],
    find_lr: Optional[str],
    find_lr_min: float,
    find_lr_max: float,
    find_lr_steps: int,
    **settings: Any,
) -> Tuple[Dict[str, Any], str]:
    """Train a network on a RecordIO file.

    Flags override --config FILE, which overrides --recipe, which overrides the defaults.
    """
    resolved = _resolved(ctx, settings, config_file)
    if print_config:
        return _print_config(resolved)
    if show_batch is not None:
        return _show_batch(resolved.config, show_batch)
    if find_lr is not None:
        return _find_lr(resolved.config, find_lr, find_lr_min, find_lr_max, find_lr_steps)
    return (_dry_run if dry_run else _train)(resolved.config)
