"""How much of the bus one reading may take."""

import asyncio

import pytest

from shutan_gateway.serial.patience import Patience
from shutan_meters.errors import NoAnswer
from shutan_meters.master import LIMIT


class Script:
    """Plays answers; None is silence."""

    def __init__(self, *answers: bytes | None) -> None:
        self.answers = list(answers)
        self.timeouts: list[int] = []

    async def transact(self, request: bytes, complete: object, timeout_ms: int) -> bytes:
        del request, complete
        self.timeouts.append(timeout_ms)
        answer = self.answers.pop(0)
        if answer is None:
            raise NoAnswer("bus", "silent")
        return answer


def whole(buffer: bytes | bytearray) -> int:
    """An answer is anything that ends with a full stop."""
    return len(buffer) if buffer.endswith(b".") else 0


def play(patience: Patience, *requests: bytes) -> list[str]:
    """What became of each request."""

    async def run() -> list[str]:
        outcomes: list[str] = []
        for request in requests:
            try:
                outcomes.append(bytes(await patience.transact(request, whole, 500)).decode("latin-1"))
            except NoAnswer as error:
                outcomes.append(error.reason)
        return outcomes

    return asyncio.run(run())


def test_a_meter_that_has_not_answered_gets_one_try() -> None:
    line = Script(None, b"late.")
    patience = Patience(line)
    assert play(patience, b"a", b"a", b"a") == ["silent"] * 3
    assert len(line.timeouts) == 1
    assert (patience.silent, patience.damaged, patience.answered) == (1, 0, False)


def test_two_tries_where_there_is_time_and_one_for_a_flood() -> None:
    line = Script(None, b"yes.")
    assert play(Patience(line, 700, first=2), b"a", b"a") == ["silent", "yes."]
    assert line.timeouts == [700, 700]
    line = Script(b"x" * LIMIT)
    patience = Patience(line, first=2)
    assert play(patience, b"a", b"a") == ["x" * LIMIT, f"{LIMIT} bytes without a whole answer"]
    assert patience.damaged == 1


def test_one_that_answers_gets_two_more_failures() -> None:
    line = Script(b"one.", b"noise", b"two.", None, b"never.")
    patience = Patience(line)
    assert play(patience, b"a", b"b", b"b", b"c", b"c") == ["one.", "noise", "two.", "silent", "silent"]
    assert (patience.silent, patience.damaged) == (1, 1)


def test_listening_for_what_is_late_costs_nothing() -> None:
    patience = Patience(Script(b"one.", None, b"junk", b"two."))
    assert play(patience, b"a", b"", b"", b"b") == ["one.", "silent", "junk", "two."]
    assert (patience.silent, patience.damaged) == (0, 0)


@pytest.mark.parametrize("noise", [b"", b"\xff", b"x" * 100])
def test_bytes_that_are_no_answer_are_told(noise: bytes) -> None:
    patience = Patience(Script(noise))
    assert play(patience, b"a", b"a")[1] == f"{len(noise)} bytes without a whole answer"
