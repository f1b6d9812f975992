"""``cbam completion``, and the answers that its script asks for."""

import shutil
import subprocess

import pytest

from gluon_cbam.cli.completion import SHELLS


@pytest.fixture
def answers(cbam):
    """The completions of the last word, asked as the script for bash asks; mxnet cannot be imported meanwhile."""

    def ask(*words, cwd=None):
        asked = {
            '_CBAM_COMPLETE': 'bash_complete',
            'COMP_WORDS': ' '.join(('cbam', *words)),
            'COMP_CWORD': str(len(words)),
        }
        return cbam(env=asked, cwd=cwd).stdout.split()

    return ask


def test_commands_options_and_names(answers):
    assert answers('tr') == ['plain,train']
    assert answers('zoo', 'pub') == ['plain,publish']
    assert answers('train', '--lr-m') == ['plain,--lr-mult', 'plain,--lr-mode']
    assert answers('train', '--network', 'cbamnet_') == [f'plain,cbamnet_{size}' for size in ('base', 'small', 'tiny')]
    assert answers('train', '--recipe', 'off') == ['plain,official']
    assert answers('completion', 'f') == ['plain,fish']
    assert answers('predict', 'photos/a') == ['file,photos/a']
    assert answers('train', '--data-train', 'x') == ['file,x']


@pytest.mark.parametrize('shell', SHELLS)
def test_the_script(cbam_here, shell, tmp_path):
    done = cbam_here('completion', shell)
    assert (done.returncode, done.stderr) == (0, '')
    assert f'_CBAM_COMPLETE={shell}_complete' in done.stdout
    if shutil.which(shell):
        (tmp_path / 'script').write_text(done.stdout)
        assert subprocess.run([shell, '-n', str(tmp_path / 'script')], check=False).returncode == 0


@pytest.mark.skipif(not shutil.which('bash'), reason='no bash')
def test_bash_asks_the_command(cbam_here, tmp_path):
    """The function of the script calls the command with these variables, and offers what it answers."""
    fake = tmp_path / 'cbam'
    fake.write_text('#!/bin/sh\necho plain,$_CBAM_COMPLETE-$COMP_CWORD\n')
    fake.chmod(0o755)
    script = cbam_here('completion', 'bash').stdout
    ask = 'COMP_WORDS=(cbam tr); COMP_CWORD=1; _cbam_completion "$0"; echo "${COMPREPLY[@]}"'
    done = subprocess.run(['bash', '-c', f'{script}\n{ask}', str(fake)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == 'bash_complete-1'


def test_nothing_heavy_is_imported(python):
    environment = {'_CBAM_COMPLETE': 'bash_complete', 'COMP_WORDS': 'cbam train --network cbam', 'COMP_CWORD': '3'}
    code = (
        'import sys\nfrom gluon_cbam.cli.main import cli\ntry:\n    cli()\nexcept SystemExit:\n    pass\n'
        "print([name for name in ('mxnet', 'numpy', 'cv2') if name in sys.modules])"
    )
    assert python(code, env=environment).stdout.splitlines()[-1] == '[]'
