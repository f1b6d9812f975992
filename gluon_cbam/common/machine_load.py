"""How much of this machine other processes use while this one works. Imports the standard library only."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import Any, Dict, List, Optional

_STAT = '/proc/stat'
_IDLE = (3, 4)  # fields of a CPU's line: idle, waiting for a disk
_FIELDS = 8  # user, nice, system, idle, iowait, irq, softirq, steal; those of guests are in user and nice
_LEAST_SECONDS = 0.5  # the kernel counts in hundredths of a second for each CPU
_LEAST_CPUS, _LEAST_SHARE = 0.5, 0.1  # what other processes must use for the machine to be busy


@dataclass(frozen=True)
class MachineLoad:
    """The load of the CPUs that this process may use, over some time.

    Attributes:
        cpus: number of CPUs that this process may use.
        other_cpus: how many of them other processes used on average, virtual machines on the same host included.
        involuntary_switches_per_second: how often the kernel took a CPU from a thread of this process or its children.
    """

    cpus: int
    other_cpus: float
    involuntary_switches_per_second: float

    @property
    def busy(self) -> bool:
        """Whether other processes use half a CPU, and a tenth of all."""
        return self.other_cpus >= max(_LEAST_CPUS, _LEAST_SHARE * self.cpus)

    def as_dict(self) -> Dict[str, Any]:
        """Values for JSON: ``busy`` and the figures."""
        figures = {
            'cpus': self.cpus,
            'other_cpus': round(self.other_cpus, 2),
            'involuntary_switches_per_second': round(self.involuntary_switches_per_second, 1),
        }
        return {'busy': self.busy, 'machine_load': figures}

    def as_text(self) -> str:
        """The load as a part of a message."""
        return (
            f'the machine is busy: other processes use {self.other_cpus:.1f} of {self.cpus} CPUs '
            f'({self.involuntary_switches_per_second:.0f} involuntary switches per second)'
        )


class LoadMeter:
    """Measures the load since it was made or last read. Reading takes less than a millisecond.

    The time of this process and of the children that it has waited for is subtracted from the time of all, so that its
    own threads are never taken for others.
    """

    def __init__(self) -> None:
        self._last = _reading()

    def read(self) -> Optional[MachineLoad]:
        """The load since the last reading.

        Returns:
            The load; None where the kernel does not tell it (on other systems than Linux), and for less than half a
            second, which is then part of the next reading.
        """
        now = _reading()
        if self._last is None or now is None:
            return None
        seconds = now.clock - self._last.clock
        if seconds < _LEAST_SECONDS:
            return None
        others = (now.all_busy - self._last.all_busy) - (now.own_busy - self._last.own_busy)
        switches = (now.switches - self._last.switches) / seconds
        self._last = now
        return MachineLoad(now.cpus, min(max(others / seconds, 0.0), float(now.cpus)), switches)


@dataclass(frozen=True)
class _Reading:
    """Counters: seconds of the clock, of all processes on our CPUs, and of ours; involuntary switches of ours."""

    clock: float
    cpus: int
    all_busy: float
    own_busy: float
    switches: int


def _reading() -> Optional[_Reading]:
    try:
        import resource

        usable = os.sched_getaffinity(0)
        ticks = os.sysconf('SC_CLK_TCK')
        with open(_STAT, encoding='ascii') as file:
            lines = file.read().splitlines()
    except (ImportError, AttributeError, OSError, ValueError):
        return None
    own = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    busy = [_busy_ticks(line.split()[1:]) for line in lines if line.split()[:1] and _cpu_of(line) in usable]
    if not busy:
        return None
    return _Reading(
        clock=time.monotonic(),
        cpus=len(busy),
        all_busy=sum(busy) / ticks,
        own_busy=sum(usage.ru_utime + usage.ru_stime for usage in own),
        switches=sum(usage.ru_nivcsw for usage in own),
    )


def _cpu_of(line: str) -> Optional[int]:
    """The CPU that a line of /proc/stat is about; None for other lines."""
    name = line.split(maxsplit=1)[0]
    return int(name[3:]) if name.startswith('cpu') and name[3:].isdigit() else None


def _busy_ticks(fields: List[str]) -> int:
    return sum(int(value) for number, value in enumerate(fields[:_FIELDS]) if number not in _IDLE)
