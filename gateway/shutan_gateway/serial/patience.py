"""How much time one reading may take from the other meters of a bus."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shutan_meters.errors import NoAnswer
from shutan_meters.master import LIMIT

if TYPE_CHECKING:
    from collections.abc import Callable

    from shutan_meters.master import Transport

__all__ = ["Patience"]


class Patience:
    """A transport for one reading: gives up at the first silence of a meter that has not answered yet.

    The master would ask three times at once and hold up the bus for three time-outs; here a silent meter steps back
    behind the others after `first` failures and is asked again at the end of the round. One that has answered gets
    `more` further failures.
    silent, damaged: exchanges without an answer, and with bytes that held none
    """

    def __init__(self, line: Transport, timeout_ms: int | None = None, first: int = 1, more: int = 2) -> None:
        self._line = line
        self._timeout_ms = timeout_ms
        self._left = first
        self._more = more
        self._reason = "silent"
        self.answered = False
        self.silent = 0
        self.damaged = 0

    async def transact(
        self, request: bytes, complete: Callable[[bytes | bytearray], int], timeout_ms: int
    ) -> bytes | bytearray:
        """See `shutan_meters.master`."""
        if self._left <= 0:
            raise NoAnswer("bus", self._reason)  # not asked again in this reading
        try:
            buffer = await self._line.transact(request, complete, self._timeout_ms or timeout_ms)
        except NoAnswer:
            if request:  # without one it only listened for what is late
                self.silent += 1
                self._left -= 1
                self._reason = "silent"
            raise
        if complete(buffer):
            if not self.answered:
                self.answered = True
                self._left = self._more
        elif request:
            self.damaged += 1
            self._left = 0 if len(buffer) >= LIMIT else self._left - 1  # a flood is not provoked again
            self._reason = f"{len(buffer)} bytes without a whole answer"
        return buffer
