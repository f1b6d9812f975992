"""The tutorials do what they say: every block of code and every command runs, and prints what the page has."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import tutorials

ROOT = Path(__file__).parents[2]
TUTORIALS = sorted(path.stem for path in (ROOT / 'docs' / 'tutorials').glob('*.md') if path.stem != 'index')
PAGES = [*(f'tutorials/{name}.md' for name in TUTORIALS), 'develop/attention.md']


@pytest.mark.slow
@pytest.mark.parametrize('page', PAGES)
def test_a_tutorial_runs(page, tmp_path):
    programs = os.pathsep.join([str(Path(sys.executable).parent), os.environ['PATH']])
    environment = {**os.environ, 'PATH': programs, 'PYTHONPATH': str(ROOT), 'OMP_NUM_THREADS': '1'}
    done = subprocess.run(
        [sys.executable, tutorials.__file__, ROOT / 'docs' / page], cwd=tmp_path, env=environment, capture_output=True,
        text=True, timeout=800, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_every_tutorial_is_in_the_table_of_contents():
    contents = (ROOT / 'docs' / 'tutorials' / 'index.md').read_text().split()
    assert TUTORIALS
    assert set(TUTORIALS) <= set(contents)


@pytest.mark.parametrize('page', PAGES)
def test_a_tutorial_shows_what_its_code_prints(page):
    """Code that prints has its output on the page, so that a wrong figure cannot stand there unseen."""
    for step in tutorials.steps(ROOT / 'docs' / page):
        if step.kind == 'python' and 'print(' in step.text:
            assert step.expected, step.text


def write_page(folder, text):
    (folder / 'page.md').write_text(text)
    return folder / 'page.md'


def test_other_output_is_an_error(tmp_path):
    page = write_page(tmp_path, '```python\nprint(1)\n```\n\n```text\n2\n```\n')
    with pytest.raises(SystemExit, match='page.md:2'):
        tutorials.main(page)


def test_another_exit_code_is_an_error(tmp_path):
    page = write_page(tmp_path, '```console\n$ false\n```\n')
    with pytest.raises(SystemExit, match='ended with 1'):
        tutorials.main(page)
    tutorials.main(write_page(tmp_path, '```console\n$ false  # exit code 1\n```\n'))
