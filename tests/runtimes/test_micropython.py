"""The files test_both_*.py of every room, function by function, under MicroPython with 63- and 31-bit integers."""

import pytest

from support.micropython import RUNTIMES, Both, run
from support.places import REPO

FILES = [Both.read(path) for path in sorted(REPO.glob("tests/*/test_both_*.py"))]
CASES = [
    pytest.param(runtime, both, function, id=f"{runtime}-{both.path.parent.name}-{both.path.stem}-{function}")
    for both in FILES
    for function in both.functions
    for runtime in RUNTIMES
]


@pytest.mark.parametrize(("runtime", "both", "function"), CASES)
def test_on_micropython(runtime: str, both: Both, function: str) -> None:
    outcome = run(runtime, both)[function]
    assert outcome.state == "passed", outcome.trace


def test_every_room_of_the_firmware_has_such_files() -> None:
    rooms = {both.path.parent.name for both in FILES if both.functions}
    assert rooms >= {"wire", "meters", "node"}
