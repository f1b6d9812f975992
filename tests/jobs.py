"""Jobs whose processes are small shell scripts: no mxnet is needed to see them start, stop and die."""

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from contextlib import suppress
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PATIENCE = 120  # seconds; scripts take two on an idle machine, training ten

JOB = """
import json, sys
from gluon_cbam.cli.errors import Group
import click
from gluon_cbam.launch import launch
from gluon_cbam.launch.hosts import Host
from gluon_cbam.launch.plan import plan

@click.group(cls=Group)
def cli():
    pass

@cli.command()
@click.argument('text')
def run(text):
    options = json.loads(text)
    hosts = [Host(name) for name in options['hosts']]
    members = plan(options['workers'], options['servers'], hosts, environment=options['environment'])
    launch(members, options['command'], lambda line: print(line.decode(), end='', flush=True), ssh=options['ssh'],
           grace=options['grace'], role_command=options['role'])

cli()
"""
WAITS = ['sh', '-c', 'echo ready >&2; while :; do sleep 0.1; done']


class Job:
    """A launcher in a process of its own, and the processes that carry its mark in their environment."""

    def __init__(self, cwd, **options):
        self.mark = uuid.uuid4().hex
        defaults = dict(workers=2, servers=1, hosts=['localhost'], ssh='ssh', grace=0.5, role=WAITS, environment={})
        environment = {**options.get('environment', {}), 'MARK': self.mark, 'PYTHONFAULTHANDLER': '1'}
        options = {**defaults, **options, 'environment': environment}
        self._log = cwd / f'{self.mark}.err'
        with self._log.open('wb') as log:
            self.process = subprocess.Popen(
                [sys.executable, '-c', JOB, 'run', json.dumps(options)],
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=cwd,
                env={**os.environ, 'PYTHONPATH': str(ROOT)},
            )

    def log(self):
        """Standard error so far, as lines.

        A file of its own is read: to seek in the one that the job has would move the place where the job writes.
        """
        return self._log.read_bytes().decode().splitlines()

    def wait_for(self, line, times=1):
        deadline = time.time() + PATIENCE
        while sum(seen.endswith(line) for seen in self.log()) < times:
            assert time.time() < deadline, self.log()
            assert self.process.poll() is None, self.log()
            time.sleep(0.02)

    def ended(self):
        """(exit code, standard output, last line of standard error); fails if it does not end."""
        try:
            out, _ = self.process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            self._abort()
            pytest.fail('the job did not end:\n' + '\n'.join(self.log()))
        return self.process.returncode, out.decode(), self.log()[-1] if self.log() else ''

    def _abort(self):
        """End the processes; faulthandler writes what each of their threads was doing to the log."""
        for pid in self.left():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGABRT)
        self.process.communicate()

    def left(self):
        """The processes of the job: {number: (its environment, its command line)}."""
        found = {}
        for folder in Path('/proc').iterdir():
            try:
                environment = (folder / 'environ').read_text(errors='replace') if folder.name.isdigit() else ''
                line = (folder / 'cmdline').read_text(errors='replace').replace('\0', ' ')
            except OSError:
                continue
            if f'MARK={self.mark}' in environment and line:
                found[int(folder.name)] = (dict(e.partition('=')[::2] for e in environment.split('\0')), line)
        return found

    def member(self, role, number=0, supervisor=False):
        """The process of a member's command, or its supervisor's.

        The command is the supervisor's child. Its own children have the same command line between fork and exec.
        """
        supervisors = {
            pid
            for pid, (environment, line) in self.left().items()
            if environment.get('DMLC_ROLE') == role
            and environment.get('DMLC_WORKER_ID', '0') == str(number)
            and 'launch.supervisor' in line
        }
        (pid,) = supervisors if supervisor else (pid for pid in self.left() if _parent(pid) in supervisors)
        return pid

    def assert_nobody_left(self):
        deadline = time.time() + PATIENCE
        while self.left() and time.time() < deadline:
            time.sleep(0.05)
        assert not self.left()


def _parent(pid):
    try:
        stat = Path(f'/proc/{pid}/stat').read_text(errors='replace')
    except OSError:  # it has ended since
        return None
    return int(stat.rpartition(')')[2].split()[1])


def end(jobs):
    """End what a failed test left of jobs."""
    for job in jobs:
        job.process.kill()
        for pid in job.left():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
