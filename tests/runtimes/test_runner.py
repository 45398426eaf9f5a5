"""The MicroPython runner itself: a failure is a failure, whatever its kind."""

import pytest

from support.micropython import RUNTIMES, Both, run
from support.places import REPO

SAMPLES = REPO / "tests/runtimes/samples"


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_outcome_of_each_function(runtime: str) -> None:
    outcomes = run(runtime, Both.read(SAMPLES / "failing.py"))
    states = {name: outcome.state for name, outcome in outcomes.items()}
    assert states == {
        "test_a_passes": "passed",
        "test_b_fails": "failed",
        "test_c_takes_too_much_memory": "failed",
        "test_d_ends_the_interpreter": "started",
        "test_e_never_starts": "never started",
    }
    assert "the reason" in outcomes["test_b_fails"].trace
    assert "MemoryError" in outcomes["test_c_takes_too_much_memory"].trace
    assert "exit code 3" in outcomes["test_d_ends_the_interpreter"].trace


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_import_error_reaches_every_function(runtime: str) -> None:
    outcome = run(runtime, Both.read(SAMPLES / "broken_import.py"))["test_a_never_starts"]
    assert (outcome.state, "dataclasses" in outcome.trace) == ("failed", True)
