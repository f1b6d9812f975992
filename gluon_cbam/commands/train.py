"""``cbam train``."""

from __future__ import annotations

import click

from ..console import common_options, progress_bar, settings_options, show_log
from ..training.config import TrainConfig


@click.command()
@settings_options()
@common_options
@click.pass_context
def train(ctx, **settings):
    """Train a network on a RecordIO file."""
    from ..training import resumed_settings
    from ..training import train as run

    show_log()
    default = click.core.ParameterSource.DEFAULT
    given = {name: value for name, value in settings.items() if ctx.get_parameter_source(name) is not default}
    summary = run(TrainConfig(**resumed_settings(given)), progress=progress_bar)
    best = summary['best']
    text = f'{summary["epochs"]} epochs, {summary["steps"]} steps in {summary["seconds"]:.0f} s\n'
    if best:
        text += f'best top-1 {best["top1"]:.4f} in epoch {best["epoch"]}: {summary["output"]}/checkpoints/best.params\n'
    return summary, text + f'curves: {summary["output"]}/curves.png'
