"""The harness notices every kind of fault, names the case, and goes on after it."""

import pytest
from fuzz.harness import Fuzzing
from fuzz.test_readers import fault

EXPECTED = {
    'crash': 'the process ended (-11)',
    'take_memory': ' MiB',
    'raise_another_kind': 'an error of exit code None',
    'name_no_file': 'a message without the file',
    'give_two_lines': 'a message of several lines',
    'name_another_exit_code': 'an error of exit code None',
}


@pytest.fixture(scope='module')
def fuzzing(tmp_path_factory):
    process = Fuzzing(tmp_path_factory.mktemp('faulty'), 'fuzz.faulty_readers')
    yield process
    process.close()


@pytest.mark.parametrize('kind', EXPECTED)
def test_each_kind_of_fault(kind, fuzzing):
    outcomes = fuzzing.run(kind, 4)
    assert [outcome.case for outcome in outcomes] == [0, 1, 2, 3]
    found = [fault(outcome) for outcome in outcomes]
    assert [text is None for text in found] == [True, True, False, True]
    assert found[2].endswith(EXPECTED[kind])


@pytest.mark.slow  # it uses the CPU for the time that a case may take
def test_a_case_without_end(fuzzing):
    outcomes = fuzzing.run('loop_in_system_calls', 4)
    assert [fault(outcome) for outcome in outcomes] == [None, None, 'the process ended (-24)', None]
