"""Time and peak memory of the record tools on a file of many small records.

Each row is a separate process. peak_mb is its peak resident set size, growth_mb the part of it after the imports, and
workers_mb the peak of the largest worker process; cpu_seconds is the CPU time of all processes. The files are in the
page cache, since they have just been written.
"""

from __future__ import annotations

import argparse
import io
import json
import subprocess
import sys
import tarfile
import tempfile
from functools import lru_cache
from pathlib import Path

CLASSES = 1000
COLUMNS = ('seconds', 'cpu_seconds', 'peak_mb', 'growth_mb', 'workers_mb')


def small_image(number: int) -> bytes:
    """A valid PNG of about 200 bytes, different for each number: decoders ignore the bytes after its end mark."""
    return _pixels(number % CLASSES) + number.to_bytes(90, 'little')


@lru_cache(maxsize=None)
def _pixels(number: int) -> bytes:
    import cv2
    import numpy as np

    pixels = np.arange(8 * 8 * 3).reshape(8, 8, 3) * 5 + number
    return cv2.imencode('.png', pixels.astype(np.uint8))[1].tobytes()


def write(folder: Path, records: int, workers: int) -> None:
    from gluon_cbam.data.records.recordio import RecordWriter

    with RecordWriter(folder / 'many.rec') as writer:
        for number in range(records):
            writer.write(number % CLASSES, small_image(number))


def scan_headers(folder: Path, records: int, workers: int) -> None:
    from gluon_cbam.data.records.recordio import RecordFile

    assert len(RecordFile(folder / 'many.rec', indexed=False)) == records


def open_for_validation(folder: Path, records: int, workers: int) -> None:
    from gluon_cbam.data.records.recordio import RecordFile

    file = RecordFile(folder / 'many.rec')
    file.check_labels(CLASSES)
    assert len(file) == records


def index(folder: Path, records: int, workers: int) -> None:
    from gluon_cbam.data.records.recordio import rebuild_index

    assert rebuild_index(folder / 'many.rec') == records


def check_headers(folder: Path, records: int, workers: int) -> None:
    _check(folder, records, workers, decoding=False)


def check_all(folder: Path, records: int, workers: int) -> None:
    _check(folder, records, workers, decoding=True)


def _check(folder: Path, records: int, workers: int, decoding: bool) -> None:
    from gluon_cbam.data.records.checking import check_files

    checked = check_files([folder / 'many.rec'], decoding, decoding, CLASSES, workers)
    assert checked.ok(strict=True)
    assert checked.files[0].records == records


def stats_sample(folder: Path, records: int, workers: int) -> None:
    from gluon_cbam.data.records.statistics import statistics

    assert statistics(folder / 'many.rec', sample=10_000, workers=workers)['records'] == records


def write_tar(folder: Path, images: int, workers: int) -> None:
    with tarfile.open(folder / 'images.tar', 'w') as outer:
        for label in range(CLASSES):
            inside = io.BytesIO()
            with tarfile.open(fileobj=inside, mode='w') as inner:
                for number in range(label, images, CLASSES):
                    _add(inner, f'n{label:08}_{number}.png', small_image(number))
            _add(outer, f'n{label:08}.tar', inside.getvalue())


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    tar.addfile(info, io.BytesIO(content))


def list_tar(folder: Path, images: int, workers: int) -> None:
    from gluon_cbam.data.preparation.lists import make_lists

    (done,) = make_lists(folder / 'images.tar', folder / 'images.lst', shuffle=True)
    assert done.images == images


def pack_tar(folder: Path, images: int, workers: int) -> None:
    from gluon_cbam.data.preparation.packing import pack

    (done,) = pack(folder / 'images.tar', folder / 'packed', shuffle=True, workers=workers)
    assert done.records == images


# row -> (function, unit of its count)
TASKS = {
    'write the file': (write, 'records'),
    'scan the headers': (scan_headers, 'records'),
    'open for validation': (open_for_validation, 'records'),
    'index': (index, 'records'),
    'check --no-decode': (check_headers, 'records'),
    'check': (check_all, 'records'),
    'stats --sample 10000': (stats_sample, 'records'),
    'write a tar of tars': (write_tar, 'images'),
    'list it, shuffled': (list_tar, 'images'),
    'pack it, shuffled': (pack_tar, 'images'),
}


def run_here(task: str, folder: Path, count: int, workers: int) -> dict:
    """Run a task in this process."""
    import os
    import resource
    import time

    import cv2  # noqa: F401 (the import is not part of the task)
    import numpy as np  # noqa: F401

    from gluon_cbam.common.memory import peak

    before, start, used = peak(), time.perf_counter(), sum(os.times()[:4])
    TASKS[task][0](folder, count, workers)
    row = {'seconds': time.perf_counter() - start, 'cpu_seconds': sum(os.times()[:4]) - used}
    own, others = peak() / 2**20, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**10
    row.update(peak_mb=own, growth_mb=own - before / 2**20, workers_mb=others)
    return {'task': task, 'count': count, **{name: round(value, 2) for name, value in row.items()}}


def run_all(options: argparse.Namespace, folder: Path) -> list:
    """Run every task in a separate process, in order."""
    rows = []
    if not options.json:
        print(f'{"":22} {"count":>9}' + ''.join(f'{column:>13}' for column in COLUMNS), flush=True)
    for task in TASKS:
        command = [sys.executable, __file__, '--task', task, '--folder', str(folder), '--workers', str(options.workers)]
        command += ['--records', str(options.records), '--images', str(options.images), '--json']
        row = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
        rows.append(row)
        if not options.json:
            print(f'{task:22} {row["count"]:9}' + ''.join(f'{row[column]:13.1f}' for column in COLUMNS), flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--records', type=int, default=1_281_167, help='number of records in the record file')
    parser.add_argument('--images', type=int, default=200_000, help='number of images in the tar file')
    parser.add_argument('--workers', type=int, default=2)
    parser.add_argument('--folder', type=Path, help='needs about 300 bytes a record and 2 kB an image  [temporary]')
    parser.add_argument('--json', action='store_true')
    parser.add_argument('--task', choices=TASKS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.task:
        count = getattr(options, TASKS[options.task][1])
        print(json.dumps(run_here(options.task, options.folder, count, options.workers)))
        return
    with tempfile.TemporaryDirectory(dir=options.folder, prefix='measure-data-') as folder:
        rows = run_all(options, Path(folder))
    if options.json:
        print(json.dumps(rows))


if __name__ == '__main__':
    main()
