"""Store kind "influxdb": lines in bodies of bounded size, and an outcome for each row whatever the server answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from shutan_gateway.errors import StoreUnavailable
from shutan_gateway.stores.base import Rejected, StoreRefused, Written
from shutan_gateway.stores.influxdb.answers import Answer, Kind, read_answer
from shutan_gateway.stores.influxdb.line import LineEncoder, RowFault
from shutan_gateway.stores.influxdb.search import Search
from shutan_gateway.stores.influxdb.suspects import Line
from shutan_gateway.stores.influxdb.transport import SendBroken

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from shutan_gateway.counters import Counters
    from shutan_gateway.rows import Row
    from shutan_gateway.stores.influxdb.transport import Transport

__all__ = ["InfluxStore"]

# InfluxDB 1.x takes 25 MB by default and drops the connection above; small bodies also bound memory and a resend.
BODY_BYTES: Final = 2_000_000
# Below this no server refuses a body for its size: a broken connection means something else.
SMALLEST_BODY_BYTES: Final = 64_000
# Rows of a body that is written at once, where no row needs a look of its own.
_QUICK_ROWS: Final = 800
# Good bodies in a row before a size that was cut is tried larger again.
_CALM: Final = 64


class InfluxStore:
    """Rows to an InfluxDB by a transport. `requests` counts bodies sent, for tests and counters."""

    def __init__(
        self, name: str, transport: Transport, counters: Counters, *, mirror: bool = False, body_bytes: int = BODY_BYTES
    ) -> None:
        self.name = name
        self.requests = 0
        self._transport = transport
        self._counters = counters
        self._encoder = LineEncoder(mirror=mirror)
        self._largest = body_bytes
        self._limit = body_bytes
        self._calm = 0

    def write(self, rows: Sequence[Row]) -> Written:
        """Store rows. Raises StoreUnavailable or StoreRefused when none could be settled."""
        done = 0
        try:
            while done < len(rows):
                part = rows[done : done + _QUICK_ROWS]
                body = self._encoder.body(part)
                if body is None or len(body) > self._limit or self._exchange(body).kind is not Kind.DONE:
                    break
                done += len(part)
            if done == len(rows):
                return Written(done)
            left = self._write(rows[done:] if done else rows)
        except StoreUnavailable as error:
            if done == 0:
                raise
            return Written(done, (), error.retry_after_s)
        moved = tuple([Rejected(done + entry.index, entry.reason) for entry in left.rejected])
        return Written(done + left.accepted, moved, left.retry_after_s)

    def _write(self, rows: Sequence[Row]) -> Written:
        """The general way, line by line, so that each row has an outcome of its own."""
        lines, rejected = self._encode(rows)
        place = 0
        try:
            for body in self._bodies(lines):
                place = body[0].place
                rejected += self._settle(body)
        except StoreUnavailable as error:
            # What stands before the body that failed is settled; the rest is offered again.
            if place == 0:
                raise
            done = [entry for entry in rejected if entry.index < place]
            return Written(place, tuple(sorted(done, key=_by_index)), error.retry_after_s)
        return Written(len(rows), tuple(sorted(rejected, key=_by_index)))

    def close(self) -> None:
        """Close the connection."""
        self._transport.close()

    def _encode(self, rows: Sequence[Row]) -> tuple[list[Line], list[Rejected]]:
        lines: list[Line] = []
        rejected: list[Rejected] = []
        for place, row in enumerate(rows):
            try:
                lines.append(Line(place, row, self._encoder.line(row)))
            except RowFault as fault:
                rejected.append(Rejected(place, str(fault)))
        if self._encoder.omitted:
            self._counters.inc("shutan_store_omitted_values_total", self._encoder.omitted, store=self.name)
            self._encoder.omitted = 0
        return lines, rejected

    def _bodies(self, lines: Sequence[Line]) -> Iterator[list[Line]]:
        """Lines in groups whose bodies are within the limit of the moment; a longer line makes a group of its own."""
        group: list[Line] = []
        size = 0
        for line in lines:
            if group and size + len(line.text) + 1 > self._limit:
                yield group
                group, size = [], 0
            group.append(line)
            size += len(line.text) + 1
        if group:
            yield group

    def _settle(self, lines: Sequence[Line]) -> list[Rejected]:
        """Send one body; afterwards each line is stored or returned as rejected."""
        answer = self._send(lines)
        if answer.kind is Kind.FAULTY:
            return Search(self._send, lines, answer).rejected()
        if answer.kind is Kind.TOO_LARGE:
            if len(lines) == 1:
                return [Rejected(lines[0].place, answer.reason)]
            self._shrink(sum(len(line.text) for line in lines))
            half = len(lines) // 2
            return self._settle(lines[:half]) + self._settle(lines[half:])
        return []

    def _send(self, lines: Sequence[Line]) -> Answer:
        """The answer to one body: DONE, FAULTY or TOO_LARGE. Raises StoreUnavailable, StoreRefused for the others."""
        return self._exchange(b"\n".join([line.text for line in lines]))

    def _exchange(self, body: bytes) -> Answer:
        self.requests += 1
        try:
            answer = read_answer(*self._transport.post(body))
        except SendBroken:
            self._shrink(len(body))
            raise
        if answer.kind is Kind.LATER:
            raise StoreUnavailable(answer.reason, answer.retry_after_s)
        if answer.kind is Kind.REFUSED:
            raise StoreRefused(answer.reason)
        if answer.kind is Kind.DONE:
            self._relax()
        return answer

    def _shrink(self, failed_bytes: int) -> None:
        self._limit = max(SMALLEST_BODY_BYTES, min(self._limit, failed_bytes) // 2)
        self._calm = 0

    def _relax(self) -> None:
        if self._limit < self._largest:
            self._calm += 1
            if self._calm >= _CALM:
                self._limit = min(self._largest, self._limit * 2)
                self._calm = 0


def _by_index(entry: Rejected) -> int:
    return entry.index
