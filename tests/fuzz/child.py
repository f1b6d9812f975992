"""Reads damaged files in a process of its own: python child.py FOLDER TABLE; a line of JSON in, lines of JSON out.

A job is ``[reader, first, last]``. Before each case its number is written, and afterwards what came of it, so that the
parent knows which case ended the process. A case may use 10 seconds of CPU time; the system ends the process then.
"""

import json
import os
import resource
import sys
import time
from importlib import import_module
from pathlib import Path
from random import Random

from fuzz.mutations import mutated

from gluon_cbam.common.errors import CbamError
from gluon_cbam.common.memory import peak, reset_peak, resident

CPU_SECONDS = 10
ADDRESS_SPACE = 4 << 30  # more than a child has at its start; protects the machine, where memory is not touched


def outcome(reader, path):
    """What came of reading a file: None or the error."""
    try:
        reader.read(path)
    except CbamError as error:
        return {'error': type(error).__name__, 'code': error.exit_code, 'message': str(error)}
    except Exception as error:
        return {'error': type(error).__name__, 'code': None, 'message': repr(error)[:500]}
    return {'error': None, 'code': 0, 'message': ''}


def limit_cpu():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    used = int(usage.ru_utime + usage.ru_stime) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (used + CPU_SECONDS, resource.RLIM_INFINITY))


def contents(reader, original, number):
    """The bytes of a case: the attacks made by hand first, then random damage."""
    if number < len(reader.attacks):
        return reader.attacks[number](original)
    return mutated(original, Random(f'{reader.name} {number}'))


def run(reader, folder, first, last, say):
    folder.mkdir(exist_ok=True)
    path = reader.make(folder)
    original = path.read_bytes()
    intact = outcome(reader, path)  # what it imports is not counted below
    assert intact['code'] == 0, intact
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (_size() + ADDRESS_SPACE, hard))
    for number in range(first, last):
        path.write_bytes(contents(reader, original, number))
        say({'begin': number})
        limit_cpu()
        reset_peak()
        before, began = resident(), time.process_time()
        found = outcome(reader, path)
        used = {'seconds': time.process_time() - began, 'bytes': max(0, peak() - before)}
        say({'case': number, **found, **used, 'file': path.name})


def main():
    readers = import_module(sys.argv[2]).READERS  # after gluon_cbam, which prepares the import of mxnet
    answers = os.fdopen(os.dup(1), 'w')
    os.dup2(2, 1)  # what libraries print

    def say(value):
        answers.write(json.dumps(value) + '\n')
        answers.flush()

    for line in sys.stdin:
        name, first, last = json.loads(line)
        run(readers[name], Path(sys.argv[1]) / name.replace(' ', '_'), first, last, say)
        say({'done': name})


def _size():
    return int(Path('/proc/self/statm').read_text().split()[0]) * resource.getpagesize()


if __name__ == '__main__':
    main()
