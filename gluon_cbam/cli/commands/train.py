"""``cbam train``."""

from __future__ import annotations

import click

from gluon_cbam.cli.options import Option, SectionedCommand, settings_options
from gluon_cbam.cli.output import common_options
from gluon_cbam.cli.progress import ProgressLine, show_log
from gluon_cbam.training.config.train_config import SETTINGS

_FILES, _RUN = SETTINGS['recipe'].metadata['section'], 'Instead of training'


def _resolved(ctx, settings, config_file):
    """The settings from the flags, a recipe, a file or the run to continue."""
    from gluon_cbam.training import resolve

    default = click.core.ParameterSource.DEFAULT
    given = {name: value for name, value in settings.items() if ctx.get_parameter_source(name) is not default}
    return resolve(given, config_file)


def _trained(config):
    from gluon_cbam.training import train as run

    show_log()
    summary = run(config, progress=ProgressLine())
    best = summary['best']
    text = f'{summary["epochs"]} epochs, {summary["steps"]} steps in {summary["seconds"]:.0f} s\n'
    if best:
        text += f'best top-1 {best["top1"]:.4f} in epoch {best["epoch"]}: {summary["output"]}/checkpoints/best.params\n'
    return summary, text + f'curves: {summary["output"]}/curves.png'


def _rehearsed(config):
    from gluon_cbam.training.loop.dry_run import rehearse

    report = rehearse(config)
    return report.as_dict(), report.as_text()


@click.command(cls=SectionedCommand)
@settings_options('recipe')
@click.option('--config', 'config_file', metavar='FILE', cls=Option, section=_FILES, help='YAML or JSON of settings')
@settings_options(*(name for name in SETTINGS if name != 'recipe'))
@click.option('--print-config', is_flag=True, cls=Option, section=_RUN, help='the settings, and where each comes from')
@click.option(
    '--dry-run', is_flag=True, cls=Option, section=_RUN, help='build everything, train a step, estimate; write nothing'
)
@common_options
@click.pass_context
def train(ctx, config_file, print_config, dry_run, **settings):
    """Train a network on a RecordIO file.

    Flags come over --config FILE, that over --recipe, that over the defaults.
    """
    resolved = _resolved(ctx, settings, config_file)
    if print_config:
        resolved.config.check_values()
        return resolved.as_dict(), resolved.as_yaml()
    return (_rehearsed if dry_run else _trained)(resolved.config)
