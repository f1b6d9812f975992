"""``cbam runs``: comparison of training runs."""

from __future__ import annotations

from typing import Any, Dict, Optional, Tuple

import click

from gluon_cbam.cli.output import common_options
from gluon_cbam.common.printable import printable


@click.command()
@click.argument('folder', default='runs', metavar='[DIR]')
@click.option('--plot', 'plot_file', metavar='FILE.png', help='plot the curves of the best runs in one figure')
@common_options
def runs(folder: str, plot_file: Optional[str]) -> Tuple[Dict[str, Any], str]:
    """Compare the runs in DIR (runs/), the best first."""
    from gluon_cbam.training.logging.comparison import compare
    from gluon_cbam.training.logging.comparison_plot import check_plot, plot

    if plot_file:
        check_plot(plot_file)
    compared = compare(folder)
    for path, reason in compared.damaged.items():
        click.echo(printable(f'cbam: {path} is left out: {reason}'), err=True)
    if plot_file:
        plot(compared.runs, plot_file)
    return compared.as_dict(), compared.as_text()
