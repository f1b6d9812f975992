"""The ssh command, and command lines for another machine's shell."""

from __future__ import annotations

import shlex
from typing import List, Mapping, Sequence

SSH = 'ssh -o BatchMode=yes -o ServerAliveInterval=10'
"""The default command that connects to another machine."""


def remote_line(command: Sequence[str], folder: str, environment: Mapping[str, str]) -> str:
    """The line for another machine's shell that runs a command in a folder with an environment.

    Args:
        command: the program and its arguments.
        folder: working directory, on the other machine.
        environment: variables that are set in addition to the environment of the other machine's shell.

    Returns:
        The line, quoted for a POSIX shell.
    """
    variables = [f'{name}={value}' for name, value in sorted(environment.items())]
    words: List[str] = ['env', *variables, *command]
    return f'cd {shlex.quote(folder)} && exec {" ".join(map(shlex.quote, words))}'
