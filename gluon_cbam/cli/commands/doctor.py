"""``cbam doctor``: checks of the machine and the installation."""

from __future__ import annotations

import sys
from typing import Tuple

import click

from gluon_cbam.cli.output import common_options


@click.command()
@common_options
@click.pass_context
def doctor(ctx: click.Context) -> Tuple[dict, str]:
    """Check this machine and installation, and say how to repair what does not work."""
    from gluon_cbam.cli.diagnostics import diagnose

    checks = diagnose()
    ok = all(check.ok for check in checks)
    if not ok:
        ctx.call_on_close(lambda: sys.exit(3))
    lines = [
        f'{"ok  " if check.ok else "FAIL"} {check.name:8} {check.detail}'
        + (f'\n     -> {check.remedy}' if check.remedy else '')
        for check in checks
    ]
    return {'ok': ok, 'checks': [check.as_dict() for check in checks]}, '\n'.join(lines)
