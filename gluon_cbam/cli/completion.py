"""Completion in the shell: what click offers, and names of networks, recipes and files.

``cbam completion`` prints a script that makes the shell ask ``cbam`` itself, in environment variables; see
https://click.palletsprojects.com/shell-completion. Nothing of this imports mxnet.
"""

from __future__ import annotations

from typing import Callable, Dict, List, Type

import click
from click.shell_completion import (
    BashComplete,
    CompletionItem,
    FishComplete,
    ShellComplete,
    ZshComplete,
    add_completion_class,
)

_ASKED = '_CBAM_COMPLETE'  # as click names the variable
SHELLS: Dict[str, Type[ShellComplete]] = {'bash': BashComplete, 'zsh': ZshComplete, 'fish': FishComplete}
"""Name of a shell -> click's completion for it."""


def script(shell: str, root: click.Command) -> str:
    """The script that sets up completion in a shell.

    Args:
        shell: a key of :data:`SHELLS`.
        root: the command ``cbam``.

    Returns:
        The script, to be sourced.
    """
    # not .source(), which runs bash to see its version
    complete = SHELLS[shell](root, {}, 'cbam', _ASKED)
    return complete.source_template % complete.source_vars()


def register() -> None:
    """Let click answer with names of networks and recipes, and with files where it knows nothing."""
    for shell, base in SHELLS.items():
        add_completion_class(type(base.__name__, (_Completion, base), {}), shell)


def _networks() -> List[str]:
    from gluon_cbam.models import list_models

    return list_models()


def _recipes() -> List[str]:
    from gluon_cbam.training.config.recipes import names

    return names()


# name of a parameter -> its values
_NAMES: Dict[str, Callable[[], List[str]]] = {'network': _networks, 'against': _networks, 'recipe': _recipes}


class _Completion(ShellComplete):
    """Adds names of networks and recipes, and files, to the completions of click."""

    def get_completions(self, args: List[str], incomplete: str) -> List[CompletionItem]:
        """The completions of a word.

        Args:
            args: the words before it.
            incomplete: the word.
        """
        context = click.shell_completion._resolve_context(self.cli, self.ctx_args, self.prog_name, args)
        place, incomplete = click.shell_completion._resolve_incomplete(context, args, incomplete)
        found = place.shell_complete(context, incomplete)
        if found or not isinstance(place, click.Parameter):
            return found
        names = _NAMES[place.name]() if place.name in _NAMES else []
        matching = [CompletionItem(name) for name in names if name.startswith(incomplete)]
        return matching or [CompletionItem(incomplete, type='file')]
