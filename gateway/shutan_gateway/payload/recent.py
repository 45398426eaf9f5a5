"""The spool's newest groups in memory, checked: a delivery that keeps up neither reads nor checks them again.

Bounded by bytes, what a small record takes included, and given up as soon as every delivery is past them. A delivery
that is behind reads the spool's files until it has caught up.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shutan_gateway.payload.decode import Group
    from shutan_gateway.payload.shape_lanes import Lanes
    from shutan_gateway.spool.log import Position, SpoolRecord

__all__ = ["Recent", "Samples", "Taken"]

# Of one record: as they were decoded, or what reads them from its payload.
Samples: TypeAlias = "list[Group] | Lanes"

_MOST_BYTES = 8_000_000  # of payloads and records
_RECORD_BYTES = 300  # what a record takes beside the payload, however small that is
_VALUE_BYTES = 60  # what a decoded value takes


class Taken(NamedTuple):
    """Records and the position behind them; if known, their samples and when the first was durable (monotonic s)."""

    records: list[SpoolRecord]
    samples: list[Samples] | None
    end: Position
    durable_s: float | None


class _Group(NamedTuple):
    """One group of the spool; start: ordinal of its first record; size: bytes of payload; held: of memory, about."""

    start: int
    records: Sequence[SpoolRecord]
    samples: Sequence[Samples]
    end: Position
    durable_s: float
    size: int
    held: int


def _values(groups: list[Group]) -> int:
    return sum([len(group.values) for group in groups])


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
        samples: Sequence[Samples],
        durable_s: float,
    ) -> None:
        """A group that has just become durable; `start` is the ordinal of its first record."""
        size = sum([len(record.raw) for record in records])
        decoded = [one for one in samples if isinstance(one, list)]
        held = size + _RECORD_BYTES * len(records) + _VALUE_BYTES * sum(map(_values, decoded))
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
        samples: list[Samples] = []
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
