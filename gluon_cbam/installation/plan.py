"""Which commands bring a build of mxnet, and what it needs, into this environment."""

from __future__ import annotations

import importlib.util
import re
from typing import List, NamedTuple, Optional, Tuple

from gluon_cbam.common.errors import EnvironmentProblem
from gluon_cbam.compat import versions
from gluon_cbam.compat.platforms import VERSION, Wheel
from gluon_cbam.ops import build as operators

from .builds import BUILDS, Build, this_system, wheel_for
from .installers import Command, Installer, find_installer
from .probe import python_code

# what mxnet imports and its own requirements or older Pythons would have brought; graphviz is for drawings alone
_NEEDED = (('numpy', 'numpy>=1.17'), ('requests', 'requests>=2.28'), ('distutils', 'setuptools'))


class Step(NamedTuple):
    """A command of a plan.

    Attributes:
        what: what it installs, compiles or removes.
        done: the sentence for the report once it has run.
        command: the command.
        is_optional: whether mxnet works without it.
    """

    what: str
    done: str
    command: Command
    is_optional: bool = False


class Plan(NamedTuple):
    """What is to be done.

    Attributes:
        build: the build.
        wheel: the wheel of it that is installed; None if it is there already.
        steps: the commands, in their order.
    """

    build: Build
    wheel: Optional[Wheel]
    steps: List[Step]

    @property
    def requirement(self) -> str:
        """The line of the requirements file, with the only hash that is accepted."""
        assert self.wheel is not None
        return f'{self.build.distribution}=={VERSION} --hash=sha256:{self.wheel.sha256}'


def choose_build(name: Optional[str]) -> Build:
    """The build of a name; without one the build that is installed, else that for CPUs."""
    if name is not None:
        return BUILDS[name]
    found = versions.mxnet_distributions()
    return next((build for build in BUILDS.values() if found == [build.distribution]), BUILDS['cpu'])


def make_plan(build: Build, folder: str, force: bool = False) -> Plan:
    """Find out what is missing.

    Args:
        build: the build that is wanted.
        folder: where ``requirements.txt`` with :attr:`Plan.requirement` will be, and what is fetched.
        force: whether another build or version is replaced, and the same one installed again.

    Returns:
        The plan, with no steps if nothing is missing.

    Raises:
        EnvironmentProblem: mxnet has no wheel for this system, another one is installed and ``force`` is false, or
            nothing that installs is here.
    """
    present = [f'{name} {versions.installed(name)}' for name in versions.mxnet_distributions()]
    wanted = f'{build.distribution} {VERSION}'
    if present and present != [wanted] and not force:
        raise EnvironmentProblem(
            f'{" and ".join(present)} is installed and {wanted} is wanted; both contain the package mxnet: '
            f'cbam setup {build.name} --force replaces it'
        )
    wheel = wheel_for(build, *this_system()) if force or not present else None
    missing = _missing(build)
    steps: List[Step] = []
    if wheel:
        steps = _mxnet_steps(build, wheel, find_installer(), folder, versions.mxnet_distributions())
    if missing:
        names = ', '.join(missing)
        steps.append(Step(names, f'installed {names}', (*find_installer().install, *missing)))
    return Plan(build, wheel, [*steps, *_operator_steps(build)])


def _mxnet_steps(build: Build, wheel: Wheel, installer: Installer, folder: str, old: List[str]) -> List[Step]:
    """The commands that install the wheel; what is there already goes only after the new one was verified."""
    options: Tuple[str, ...] = ('--no-deps', '--only-binary', ':all:', '--require-hashes')
    options = (*options, '--requirement', f'{folder}/requirements.txt')
    what = f'{build.distribution} {VERSION} ({wheel.megabytes} MB)'
    done = f'installed {build.distribution} {VERSION} with {installer.name}, without its own requirements: '
    done += f'{build.file_of(wheel)} with SHA-256 {wheel.sha256}'
    if not old:
        return [Step(what, done, (*installer.install, *options))]
    names = ' and '.join(old)
    return [
        Step(what, f'downloaded {what}', (*installer.fetch, f'{folder}/wheels', *options)),
        Step(f'removing {names}', f'removed {names}', (*installer.uninstall, *old)),
        Step(what, done, (*installer.install, *installer.from_folder(f'{folder}/wheels'), *options)),
    ]


def _missing(build: Build) -> List[str]:
    """The requirements of a build that nothing installed meets."""
    missing = [requirement for module, requirement in _NEEDED if importlib.util.find_spec(module) is None]
    return missing + [line for line in build.libraries if versions.installed(_name(line)) is None]


def _name(requirement: str) -> str:
    return re.split(r'[<>=]', requirement)[0]


def _operator_steps(build: Build) -> List[Step]:
    """The compilation of the operators: its headers come with mxnet, and building on Python 3.13 was without them."""
    if build.name != 'cpu':
        return []
    try:
        operators.compiler()
        if operators.LIBRARY.is_file() and not operators.fault(operators.LIBRARY):
            return []
    except (operators.CannotBuild, OSError):
        return []
    what, code = 'compiling the operators', f'from {operators.__name__} import main; main()'
    return [Step(what, 'compiled the operators', python_code(code), is_optional=True)]
