"""From "some points of this body are refused" to the points themselves.

First the lines that the answer names are set aside and the others sent alone; where it names none, the body is halved.
A line is rejected only when the server refused it in a request without any line that it takes, so that a sound row is
never dead-lettered for its neighbour. Every repeat is idempotent, so it does not matter what a partial write kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from shutan_gateway.errors import StoreUnavailable
from shutan_gateway.stores.base import Rejected, StoreRefused
from shutan_gateway.stores.influxdb.answers import Kind
from shutan_gateway.stores.influxdb.suspects import suspects
from shutan_gateway.stores.isolate import isolate

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from shutan_gateway.stores.influxdb.answers import Answer
    from shutan_gateway.stores.influxdb.suspects import Line

__all__ = ["Search"]


class Search:
    """One search in a body that was refused with `answer`. Raises what `send` raises; then nothing is decided."""

    def __init__(self, send: Callable[[Sequence[Line]], Answer], lines: Sequence[Line], answer: Answer) -> None:
        self._send = send
        self._lines = lines
        self._answer = answer
        self._accepted = 0
        self._refused = 1
        # One bad line of n is found before this many refusals, with an accepted part among them.
        self._patience = 2 * len(lines).bit_length() + 1

    def rejected(self) -> list[Rejected]:
        """The rejected lines, in no particular order; all others are stored.

        Raises StoreRefused when nothing was accepted and no answer was plainly about points: then it is the request or
        something before the server that is at fault, and to reject every row for it would be wrong.
        """
        rejected: list[Rejected] = []
        aside: list[list[Line]] = []
        rest: Sequence[Line] = self._lines
        answer: Answer | None = self._answer
        while answer is not None:
            named = suspects(answer, rest)
            if answer.dropped == len(rest) or not named or len(named) == len(rest):
                rejected += self._refused_among(rest, answer)
                break
            aside.append(named)
            places = {line.place for line in named}
            rest = [line for line in rest if line.place not in places]
            answer = self._ask(rest)
        for named in aside:
            answer = self._ask(named)
            if answer is not None:
                rejected += self._refused_among(named, answer)
        if rejected and self._accepted == 0 and not self._answer.sure:
            raise StoreRefused(self._answer.reason)
        return rejected

    def _refused_among(self, lines: Sequence[Line], answer: Answer) -> list[Rejected]:
        if answer.dropped == len(lines):
            return [Rejected(line.place, answer.reason) for line in lines]
        found = isolate(lines, answer.reason, self._attempt)
        return [Rejected(line.place, reason) for line, reason in found]

    def _attempt(self, lines: Sequence[Line]) -> str | None:
        answer = self._ask(lines)
        return None if answer is None else answer.reason

    def _ask(self, lines: Sequence[Line]) -> Answer | None:
        """None when the server took all lines, else its answer about some of them."""
        answer = self._send(lines)
        if answer.kind is Kind.DONE:
            self._accepted += 1
            return None
        if answer.kind is not Kind.FAULTY:
            raise StoreUnavailable(answer.reason)  # too large, though a larger body was read: come back later
        self._refused += 1
        if not answer.sure and self._accepted == 0 and self._refused > self._patience:
            raise StoreRefused(answer.reason)
        return answer
