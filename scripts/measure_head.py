"""Time and peak memory of a step of a loss head with many identities, on CPU contexts.

A step is loss, gradients and update of an ArcFace head, without a network. Each row is a separate process: replicated,
every context has all class weights and their gradients are summed; sharded, each has a part of them; partial is sharded
with a sample of 10 % (Partial FC). growth_mb is the peak resident set size less that before the head is made,
planned_mb what ``cbam train --dry-run`` plans for all contexts together. Rows that would need more than --memory are
left out. The contexts share the cores, so that the time of several shows the cost of the exchange, not a speed-up.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Callable, Dict, List, NamedTuple

from finite import positive

KINDS = {'replicated': 1.0, 'sharded': 1.0, 'partial': 0.1}
STYLES = {'replicated': 'o--', 'sharded': 's-', 'partial': '^-'}
_MEMORY = ('growth_mb', 'planned_mb')
COLORS = {1: '#08519c', 2: '#a63603', 4: '#006d2c'}


class Case(NamedTuple):
    """A row of the table."""

    identities: int
    contexts: int
    kind: str


def plan_mb(case: Case, options: argparse.Namespace) -> float:
    """The planned memory of all contexts together; of a replicated head, as many times that of one context."""
    from gluon_cbam.tasks.faces.heads.sharded import ShardedMarginHead
    from gluon_cbam.tasks.faces.heads.table import make_margin
    from gluon_cbam.training.sharding.plan import plan

    head = ShardedMarginHead(make_margin('arcface'), case.identities, options.width, sample_rate=KINDS[case.kind])
    devices = 1 if case.kind == 'replicated' else case.contexts
    return plan(head, devices, options.batch // case.contexts, 1).total * case.contexts / 2**20


def sharded_step(case: Case, options: argparse.Namespace) -> Callable[[List[Any], List[Any], int], None]:
    """The step of a sharded head: a function of embeddings and labels of each context, and its number."""
    import mxnet as mx

    from gluon_cbam.tasks.faces.heads.sharded import ShardedMarginHead
    from gluon_cbam.tasks.faces.heads.table import make_margin
    from gluon_cbam.training import TrainConfig
    from gluon_cbam.training.distributed.process_group import ProcessGroup
    from gluon_cbam.training.optim.shards import ShardedOptimizer
    from gluon_cbam.training.sharding.exchange import Exchange
    from gluon_cbam.training.sharding.loss import ShardedLoss
    from gluon_cbam.training.sharding.weight import ShardedWeight

    ctx, group = [mx.cpu(number) for number in range(case.contexts)], ProcessGroup('device')
    head = ShardedMarginHead(make_margin('arcface'), case.identities, options.width, sample_rate=KINDS[case.kind])
    weight, exchange = ShardedWeight(head, ctx, group, 0, options.batch), Exchange(ctx, group)
    loss = ShardedLoss(weight, exchange)
    optimizer = ShardedOptimizer(weight, exchange, TrainConfig(momentum=0.9, wd=5e-4))

    def step(embeddings: List[Any], labels: List[Any], number: int) -> None:
        loss(embeddings, labels, number, 0)
        optimizer.update(0.1, options.batch)

    return step


def replicated_step(case: Case, options: argparse.Namespace) -> Callable[[List[Any], List[Any], int], None]:
    """The step of a head that every context has as a whole."""
    import mxnet as mx

    from gluon_cbam.tasks.faces.heads.class_head import ClassHead
    from gluon_cbam.tasks.faces.heads.table import make_margin

    ctx = [mx.cpu(number) for number in range(case.contexts)]
    head = ClassHead(make_margin('arcface'), case.identities, options.width)
    head.initialize(ctx=ctx)
    settings = {'learning_rate': 0.1, 'momentum': 0.9, 'wd': 5e-4}
    store = 'device' if case.contexts > 1 else None
    trainer = mx.gluon.Trainer(head.collect_params(), 'sgd', settings, kvstore=store, update_on_kvstore=False)

    def step(embeddings: List[Any], labels: List[Any], number: int) -> None:
        for array in embeddings:
            array.attach_grad()
        with mx.autograd.record():
            losses = [result[0] for result in head.losses(embeddings, labels)]
        mx.autograd.backward(losses)
        trainer.step(options.batch)

    return step


def run_here(case: Case, options: argparse.Namespace) -> Dict[str, Any]:
    """Measure a row in this process."""
    import gluon_cbam  # noqa: F401 (prepares the import of mxnet)

    # isort: split
    import mxnet as mx
    import numpy as np

    from gluon_cbam.common.memory import peak, resident

    random, before = np.random.RandomState(0), resident()
    step = (replicated_step if case.kind == 'replicated' else sharded_step)(case, options)
    seconds = []
    for number in range(1 + options.steps):
        values = random.randn(options.batch, options.width), random.randint(case.identities, size=options.batch)
        embeddings, labels = (
            [mx.nd.array(part, mx.cpu(place)) for place, part in enumerate(np.split(array, case.contexts))]
            for array in values
        )
        mx.nd.waitall()
        began = time.perf_counter()
        step(embeddings, labels, number)
        mx.nd.waitall()
        seconds.append(time.perf_counter() - began)
    growth, planned = (peak() - before) / 2**20, plan_mb(case, options)
    figures = {'seconds': statistics.median(seconds[1:]), 'growth_mb': growth, 'planned_mb': planned}
    return {**case._asdict(), **{name: round(value, 3) for name, value in figures.items()}}


def run_all(options: argparse.Namespace) -> List[Dict[str, Any]]:
    """Measure every row, one after the other, each in a process of its own."""
    rows = []
    for identities in options.identities:
        for contexts in options.contexts:
            for kind in KINDS:
                case = Case(identities, contexts, kind)
                if plan_mb(case, options) > options.memory * 1024:
                    print(f'{case}: {plan_mb(case, options) / 1024:.1f} GB planned, left out', file=sys.stderr)
                    continue
                command = [sys.executable, __file__, '--case', json.dumps(case)]
                command += ['--batch', str(options.batch), '--width', str(options.width), '--steps', str(options.steps)]
                output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
                rows.append(json.loads(output.splitlines()[-1]))
                print(rows[-1], file=sys.stderr, flush=True)
    return rows


def table(rows: List[Dict[str, Any]]) -> str:
    """The rows as a Markdown table."""
    lines = [
        '| identities | contexts | head | seconds a step | peak memory, MB | planned, MB |',
        '|--:|--:|---|--:|--:|--:|',
    ]
    for row in rows:
        cells = f'{row["identities"]:,}', row['contexts'], row['kind'], f'{row["seconds"]:.3f}'
        lines.append('| ' + ' | '.join(map(str, (*cells, *(f'{row[name]:,.0f}' for name in _MEMORY)))) + ' |')
    return '\n'.join(lines)


def draw(rows: List[Dict[str, Any]], path: Path) -> None:
    """Draw time and memory over the number of identities."""
    import matplotlib

    matplotlib.use('Agg')
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(11, 4.5))
    for axis, name, label in zip(axes, ('seconds', 'growth_mb'), ('seconds a step', 'peak memory of all contexts, MB')):
        for kind, style in STYLES.items():
            for contexts, color in COLORS.items():
                points = [row for row in rows if (row['kind'], row['contexts']) == (kind, contexts)]
                if points:
                    x, y = ([row[key] for row in points] for key in ('identities', name))
                    text = f'{kind}, {contexts} context{"s" if contexts > 1 else ""}'
                    axis.plot(x, y, style, color=color, label=text, markersize=5, linewidth=1.2)
        axis.set(xscale='log', yscale='log', xlabel='identities', ylabel=label)
        axis.grid(True, which='both', alpha=0.25)
    axes[0].legend(fontsize=7)
    figure.tight_layout()
    figure.savefig(path, dpi=110, format='png')  # whatever the name of a temporary file ends with


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--identities', type=int, nargs='+', default=[10_000, 100_000, 1_000_000])
    parser.add_argument('--contexts', type=int, nargs='+', default=[1, 2, 4])
    parser.add_argument('--batch', type=int, default=32, help='images over all contexts')
    parser.add_argument('--width', type=int, default=512, help='size of an embedding')
    parser.add_argument('--steps', type=int, default=3, help='steps after the first one; the median counts')
    parser.add_argument('--memory', type=positive, default=16, help='GB that a row may need')
    parser.add_argument('--output', type=Path, help='folder for faces_head.json and faces_head.png')
    parser.add_argument('--case', help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.case:
        print(json.dumps(run_here(Case(*json.loads(options.case)), options)))
        return
    rows = run_all(options)
    print(table(rows))
    if options.output:
        from gluon_cbam.common.files import atomic_path, write_json

        options.output.mkdir(parents=True, exist_ok=True)
        about = {'batch': options.batch, 'width': options.width, 'threads': os.environ.get('OMP_NUM_THREADS')}
        write_json(options.output / 'faces_head.json', {**about, 'rows': rows})
        with atomic_path(options.output / 'faces_head.png') as temporary:
            draw(rows, temporary)


if __name__ == '__main__':
    main()
