"""``cbam completion``: the script that completes commands, options and names in a shell."""

from __future__ import annotations

import click

from gluon_cbam.cli.output import Result, common_options

_SHELLS = ('bash', 'zsh', 'fish')


@click.command()
@click.argument('shell', type=click.Choice(_SHELLS), metavar='|'.join(_SHELLS))
@common_options
@click.pass_context
def completion(ctx: click.Context, shell: str) -> Result:
    """Print the script that completes cbam in a shell.

    It is evaluated by the start file of the shell: eval "$(cbam completion bash)" in ~/.bashrc, eval "$(cbam completion
    zsh)" in ~/.zshrc, or cbam completion fish | source in ~/.config/fish/config.fish.
    """
    from gluon_cbam.cli.completion import script

    text = script(shell, ctx.find_root().command)
    return {'shell': shell, 'script': text}, text
