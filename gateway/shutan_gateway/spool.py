"""Spool: the gateway's durable queue, append-only segment files of raw records."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from shutan_gateway.counters import Counters

__all__ = ["BIRTH", "DATA", "GAP", "Position", "Spool", "SpoolRecord"]

DATA = 1  # NDATA or DDATA with samples
BIRTH = 2  # NBIRTH or DBIRTH of a foreign node: its values are samples too
GAP = 3  # gap record of an own node: numbers that will never come


class Position(NamedTuple):
    """A group boundary in the spool; positions compare in reading order.

    segment: number of the segment file, 0 = before the first; offset: bytes into it;
    ordinal: how many records were ever accepted before this place (damaged ones included).
    """

    segment: int
    offset: int
    ordinal: int


class SpoolRecord(NamedTuple):
    """One accepted message as it came, with what is needed to decode it by itself.

    schema_id: the birth that explains it (registry); session_id: store id and boot id (registry), 0 = foreign node;
    record: record number of the node's store, 0 = none; received_ms: gateway's UTC ms;
    sub_ns: digits 0..999999 added below the millisecond where a conflict was kept; raw: Sparkplug payload.
    """

    kind: int
    schema_id: int
    session_id: int
    record: int
    received_ms: int
    sub_ns: int
    raw: bytes


class Spool:
    """Writer for one thread (intake), readers for many (delivery)."""

    @classmethod
    def open(
        cls, path: Path, *, segment_bytes: int, max_bytes: int, counters: Counters, now_ms: Callable[[], int]
    ) -> Spool:
        """Open or create the spool folder; cuts a torn tail, counts what is damaged, never refuses to start."""
        raise NotImplementedError

    @property
    def first(self) -> Position:
        """Oldest position still held."""
        raise NotImplementedError

    @property
    def end(self) -> Position:
        """Durable end: everything before it survives a power cut."""
        raise NotImplementedError

    def append_batch(self, records: Sequence[SpoolRecord]) -> Position:
        """Write one group; readers see it after `sync`. Raises SpoolFull or SpoolWriteError, then nothing was added."""
        raise NotImplementedError

    def sync(self, on_durable: Callable[[], None] | None = None) -> Position:
        """One fdatasync; then `on_durable` (counters), then readers see the new end. Raises SpoolWriteError."""
        raise NotImplementedError

    def read(self, position: Position, max_bytes: int) -> tuple[list[SpoolRecord], Position]:
        """Whole groups from `position` up to the durable end, about `max_bytes` of them, at least one if there is one.

        Damaged records are skipped and counted: `next.ordinal - position.ordinal - len(records)` of them; the caller
        counts them as dead. A position below `first` continues at `first` (same arithmetic).
        Nothing new: ([], position).
        """
        raise NotImplementedError

    def wait(self, position: Position, timeout_s: float) -> bool:
        """Block until durable data is beyond `position` (True) or the time is over or the spool is closed (False)."""
        raise NotImplementedError

    def drop_below(self, position: Position) -> int:
        """Delete whole segments below `position`; returns how many."""
        raise NotImplementedError

    def close(self) -> None:
        """Wake all waiters and close the files; what was not synced is not durable."""
        raise NotImplementedError
