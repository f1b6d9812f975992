"""Installs a build of mxnet and verifies that it works."""

from __future__ import annotations

import platform
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Callable, List, Optional

from gluon_cbam.common.errors import CbamError, EnvironmentProblem
from gluon_cbam.compat import versions
from gluon_cbam.compat.platforms import VERSION

from .installers import run
from .plan import Plan, choose_build, make_plan
from .probe import RUN_MXNET, probe


@dataclass
class Report:
    """What was done.

    Attributes:
        build: ``cpu`` or ``cu117``.
        distribution: name of the distribution.
        version: of mxnet.
        changed: whether anything was installed, compiled or removed.
        requirements: the lines of the requirements file; none if mxnet was installed already.
        commands: the commands that were run, or would be in a dry run.
        done: a sentence for each of them that has run.
        warnings: what did not work, and is not needed.
        verified: what was run to verify the installation; None if it was not verified.
    """

    build: str
    distribution: str
    version: str = VERSION
    changed: bool = False
    requirements: List[str] = field(default_factory=list)
    commands: List[List[str]] = field(default_factory=list)
    done: List[str] = field(default_factory=list)
    warnings: List[str] = field(default_factory=list)
    verified: Optional[str] = None

    def as_dict(self) -> dict:
        """The attributes by name, as values for JSON."""
        return asdict(self)


def install(
    name: Optional[str] = None,
    *,
    force: bool = False,
    dry_run: bool = False,
    verify: bool = True,
    progress: Callable[[str], None] = lambda line: None,
) -> Report:
    """Install mxnet 1.9.1 without its own requirements, and what it needs at run time.

    Args:
        name: ``cpu`` or ``cu117``; default: the build that is installed, else ``cpu``.
        force: replace another build, or install the same one again.
        dry_run: only report the commands.
        verify: import mxnet in a fresh process and run one operator.
        progress: called with a line before each command.

    Returns:
        What was done.

    Raises:
        EnvironmentProblem: there is no wheel for this system, another build is installed, or mxnet does not work.
        DataError: the wheel is not the published one; nothing was installed.
        TransferError: the network or the disk failed.
    """
    build = choose_build(name)
    report = Report(build.name, build.distribution)
    with tempfile.TemporaryDirectory(prefix='cbam-setup-') as folder:
        plan = make_plan(build, '.' if dry_run else folder, force)
        report.commands = [list(step.command) for step in plan.steps]
        if plan.wheel:
            report.requirements = [plan.requirement]
            Path(folder, 'requirements.txt').write_text(f'{plan.requirement}\n')
        if dry_run:
            return report
        _run_steps(plan, report, progress)
    if versions.installed(build.distribution) is None:
        raise EnvironmentProblem(
            f'{build.distribution} {VERSION} was installed, and not into this environment: the settings of pip or uv '
            "send it elsewhere ('python -m pip config list')"
        )
    if verify:
        report.verified = _verify(build.distribution)
    return report


def _run_steps(plan: Plan, report: Report, progress: Callable[[str], None]) -> None:
    for step in plan.steps:
        progress(step.what)
        try:
            run(step.command, step.what)
        except CbamError as error:
            if not step.is_optional:
                raise
            report.warnings.append(f'{error}; mxnet works without it')
            continue
        report.changed = True
        report.done.append(step.done)


def _verify(distribution: str) -> str:
    """Run an operator of mxnet in a fresh process."""
    result = probe('mxnet', RUN_MXNET)
    if not result.ok:
        raise EnvironmentProblem(
            f'{distribution} {VERSION} is installed and does not work: {result.remedy or result.text}'
            + ('' if result.remedy else " ('cbam setup --force' installs it again)")
        )
    numpy = versions.installed('numpy')
    return f'mxnet {result.text} imports and runs an operator (Python {platform.python_version()}, numpy {numpy})'
