"""Worker processes where Python's default is another method than the fork, as it is on Linux since 3.14."""

import multiprocessing

import pytest

from gluon_cbam.common.parallel import process_context

LIKE_3_14 = (
    'import multiprocessing.context as context\n'
    "context._default_context._default_context = context._concrete_contexts['forkserver']\n"
)


def test_a_script_without_a_main_guard(python):
    code = LIKE_3_14 + (
        'import gluon_cbam, mxnet as mx\n'
        'from gluon_cbam.common.parallel import process_pool\n'
        'data = mx.gluon.data.SimpleDataset([1, 2, 3, 4]).transform(lambda value: value * 2)\n'
        'print([batch.asnumpy().tolist() for batch in mx.gluon.data.DataLoader(data, 2, num_workers=1)])\n'
        'with process_pool(1) as pool:\n'
        '    print(pool.submit(abs, -3).result())\n'
    )
    process = python(code)
    assert process.stdout.splitlines() == ['[[2, 4], [6, 8]]', '3'], process.stderr


@pytest.mark.parametrize('chosen, used', [(None, 'fork'), ('fork', 'fork'), ('forkserver', 'fork'), ('spawn', 'spawn')])
def test_the_choice_of_the_user(chosen, used, monkeypatch):
    monkeypatch.setattr(multiprocessing, 'get_start_method', lambda allow_none=False: chosen)
    monkeypatch.setattr(multiprocessing, 'get_context', lambda method=None: method or chosen)
    assert process_context() == used
