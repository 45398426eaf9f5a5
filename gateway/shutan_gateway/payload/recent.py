"""Samples of the spool's newest groups in memory: a delivery that keeps up neither reads nor decodes them again.

Bounded by bytes, what a small record takes included, and given up as soon as every delivery is past them. A delivery
that is behind reads the spool's files until it has caught up.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shutan_gateway.payload.decode import Group
    from shutan_gateway.spool.log import Position, SpoolRecord

__all__ = ["Recent", "Taken"]

_MOST_BYTES = 5_000_000  # of payloads and records; the samples of wide payloads take about as much again
_RECORD_BYTES = 600  # what a record and its samples take beside the payload, however small that is


class Taken(NamedTuple):
    """Records and the position behind them; if known, their samples and when the first was durable (monotonic s)."""

    records: list[SpoolRecord]
    samples: list[list[Group]] | None
    end: Position
    durable_s: float | None


class _Group(NamedTuple):
    """One group of the spool; start: ordinal of its first record; size: bytes of payload; held: of memory, about."""

    start: int
    records: Sequence[SpoolRecord]
    samples: Sequence[list[Group]]
    end: Position
    durable_s: float
    size: int
    held: int


class Recent:
    """One thread puts (intake), deliveries take."""

    def __init__(self, most_bytes: int = _MOST_BYTES) -> None:
        self._most = most_bytes
        self._lock = threading.Lock()
        self._places: dict[str, int] = {}
        self._order: deque[_Group] = deque()
        self._groups: dict[int, _Group] = {}  # by the ordinal of the first record
        self._held = 0

    def put(
        self,
        start: int,
        end: Position,
        records: Sequence[SpoolRecord],
        samples: Sequence[list[Group]],
        durable_s: float,
    ) -> None:
        """A group that has just become durable; `start` is the ordinal of its first record."""
        size = sum([len(record.raw) for record in records])
        held = size + _RECORD_BYTES * len(records)
        with self._lock:
            if not self._places or held > self._most:
                return
            group = _Group(start, records, samples, end, durable_s, size, held)
            self._order.append(group)
            self._groups[start] = group
            self._held += held
            while self._held > self._most:
                self._forget()

    def after(self, position: Position, max_bytes: int) -> Taken | None:
        """Groups from `position` on, about `max_bytes` of payload; None when the first of them is not here."""
        group = self._groups.get(position.ordinal)
        if group is None:
            return None
        records: list[SpoolRecord] = []
        samples: list[list[Group]] = []
        durable_s, end, size = group.durable_s, group.end, 0
        while group is not None and (not size or size + group.size <= max_bytes):
            records += group.records
            samples += group.samples
            end = group.end
            size += group.size
            group = self._groups.get(end.ordinal)
        return Taken(records, samples, end, durable_s)

    def passed(self, reader: str, ordinal: int) -> None:
        """A delivery needs nothing before this ordinal; the first call makes it known."""
        with self._lock:
            self._places[reader] = ordinal
            self._release()

    def leave(self, reader: str) -> None:
        """A delivery has ended."""
        with self._lock:
            self._places.pop(reader, None)
            self._release()

    def _release(self) -> None:
        lowest = min(self._places.values(), default=None)
        while self._order and (lowest is None or self._order[0].end.ordinal <= lowest):
            self._forget()

    def _forget(self) -> None:
        group = self._order.popleft()
        self._held -= group.held
        del self._groups[group.start]
