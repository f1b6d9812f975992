"""Exported networks on an accelerator: accuracy on digits, agreement with the CPU and speed, in one JSON report."""

import argparse
import json
import platform
import subprocess
import sys
from pathlib import Path
from time import perf_counter

import numpy as np

from gluon_cbam.common.errors import CbamError
from gluon_cbam.compat import cuda
from gluon_cbam.export.runtime import load_exported
from gluon_cbam.export.runtime.evaluation import evaluate_exported
from gluon_cbam.export.runtime.installed import onnxruntime_packages
from gluon_cbam.export.runtime.providers import PROVIDERS
from gluon_cbam.export.runtime.session import exported_session

DIGITS = ('digits.onnx', ['--network', 'cbamnet_tiny', '--pretrained', '--preprocessing', '--engine', 'gpu'])
RESNET = ('cbam_resnet50.onnx', ['--network', 'cbam_resnet50', '--engine', 'gpu', '--preprocessing'])
HALF = ('cbam_resnet50_float16.onnx', ['--network', 'cbam_resnet50', '--format', 'onnx-float16', '--preprocessing'])
RECORDS = 'val.rec'


def make(folder):
    """Write the files that are not there; CBAM-ResNet-50 has random weights, which take the same time."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, arguments in (DIGITS, RESNET, HALF):
        if not (folder / name).exists():
            command = [sys.executable, '-m', 'gluon_cbam', 'export', *arguments, '-o', str(folder / name)]
            subprocess.run(command, check=True)
    if not (folder / RECORDS).exists():
        from gluon_cbam.data.datasets.digits import write_digits

        write_digits(folder)


def digits(folder, where):
    """The accuracy on the digits, each counted once."""
    network = load_exported(folder / DIGITS[0], verify=True, **where)
    records = network.task.open_validation(str(folder / RECORDS), network.require_classes())
    scored = evaluate_exported(network, records, 64, 2)
    return {**scored.as_dict(), 'verify': network.verification.as_dict()}


def resnet(path, where, batches, seconds):
    """Agreement with the CPU, and images per second for each size of a batch, copies included."""
    network = load_exported(path, verify=True, **where)
    image = np.random.RandomState(0).randint(0, 256, (*network.preprocessing.shape, 3)).astype(np.uint8)
    speeds = {}
    for count in batches:
        batch = np.stack([network.prepare(image)] * count)
        network.run(batch)  # compiles, and searches algorithms
        speeds[count] = throughput(network, batch, seconds)
    return {'images_per_second': speeds, 'verify': network.verification.as_dict()}


def throughput(network, batch, seconds):
    """Images per second; the next batch is copied while one is computed, as in cbam validate."""
    start = exported_session(network).start
    begin = perf_counter()
    waiting, batches = start(batch), 1
    while perf_counter() < begin + seconds:
        after = start(batch)
        waiting()
        waiting, batches = after, batches + 1
    waiting()
    return round(batches * len(batch) / (perf_counter() - begin), 1)


def measured(function, *arguments):
    """The result, or the error of a part, so that the report is complete."""
    try:
        return function(*arguments)
    except CbamError as error:
        return {'error': str(error), 'exit_code': error.exit_code}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('folder', type=Path, help='folder of the files')
    parser.add_argument('--provider', choices=list(PROVIDERS), help='without it the files are only made')
    parser.add_argument('--device')
    parser.add_argument('--quick', action='store_true', help='small batches, for a short time')
    parser.add_argument('--output', type=Path, default=Path('gpu_exported.json'), help='the report')
    arguments = parser.parse_args()
    make(arguments.folder)
    if not arguments.provider:
        return 0
    row = PROVIDERS[arguments.provider]
    batches, seconds = ((1, 2), 0.5) if arguments.quick else ((1, 8, 32, 128), 5.0)
    report = {
        'provider': arguments.provider,
        'packages': onnxruntime_packages(),
        'python': platform.python_version(),
        'system': platform.platform(),
        'compute_capabilities': cuda.compute_capabilities(),
        'digits': measured(digits, arguments.folder, {'provider': arguments.provider, 'device': arguments.device}),
    }
    for precision in row.precisions:
        where = {'provider': arguments.provider, 'device': arguments.device, 'precision': precision}
        report[precision] = measured(resnet, arguments.folder / RESNET[0], where, batches, seconds)
    where['precision'] = row.precisions[0]
    report['float16 file'] = measured(resnet, arguments.folder / HALF[0], where, batches, seconds)
    arguments.output.write_text(json.dumps(report, indent=1) + '\n', encoding='utf-8')
    print(json.dumps(report, indent=1))
    return int(any('error' in value for value in report.values() if isinstance(value, dict)))


if __name__ == '__main__':
    sys.exit(main())
