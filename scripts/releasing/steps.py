"""Running the programs that a release is made with."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys

from gluon_cbam.common.errors import EnvironmentProblem


def announce(line):
    """Say what is done now."""
    print(f'== {line}', flush=True)


def run(*command, cwd, **environment):
    """What a program prints; if it fails, all of that goes to standard error, and the error is one line."""
    words = [str(word) for word in command]
    done = subprocess.run(
        words,
        cwd=cwd,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.stderr.write(done.stdout)
        raise EnvironmentProblem(f'{" ".join(words)} failed with exit code {done.returncode}: nothing was released')
    return done.stdout


def python(*arguments, cwd, **environment):
    """What a module of this Python prints, for instance python('build', '--sdist', cwd=...)."""
    if importlib.util.find_spec(arguments[0]) is None:  # else Python prints a line of its own before the error
        raise EnvironmentProblem(
            f"no module {arguments[0]!r}: pip install '.[release]' installs it; nothing was released"
        )
    return run(sys.executable, '-m', *arguments, cwd=cwd, **environment)
