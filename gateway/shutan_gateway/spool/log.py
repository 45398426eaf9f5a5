"""Spool: the gateway's durable queue, append-only segment files of raw records (layout: segment.py).

One writer (intake), many readers (delivery). A batch is one group; a group is durable after one fdatasync, and only
then readers see it and nodes hear of it. A process never appends to a file of an earlier one: it starts the next
segment, whose first ordinal also says where its predecessor ends, so whatever a failed write left behind that is void.
"""

from __future__ import annotations

import contextlib
import errno
import threading
import time
from typing import TYPE_CHECKING, NamedTuple

from shutan_gateway.errors import SpoolFull, SpoolWriteError
from shutan_gateway.spool import opening
from shutan_gateway.spool import segment as layout
from shutan_gateway.spool.disk import Disk
from shutan_gateway.spool.opening import ORIGIN, Position, Segment, Tail, open_segments, segment_of, start_of
from shutan_gateway.spool.retention import Retention
from shutan_gateway.spool.segment import FIRST_GROUP, Header, SpoolRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from shutan_gateway.counters import Counters

__all__ = ["BIRTH", "DATA", "GAP", "ORIGIN", "Position", "Spool", "SpoolRecord"]

DATA = 1  # NDATA or DDATA with samples
BIRTH = 2  # NBIRTH or DBIRTH of a foreign node: its values are samples too
GAP = 3  # gap record of an own node: numbers that will never come

_NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT})
_DAMAGE_NOTES = 10_000  # damaged places remembered, so that every store's reader counts each once


class _Writing(NamedTuple):
    """The segment being written: descriptor, its number, preallocated size."""

    descriptor: int
    number: int
    size: int


class Spool:
    """Writer for one thread (intake), readers for many (delivery)."""

    def __init__(
        self,
        folder: Path,
        *,
        segment_bytes: int,
        max_bytes: int,
        counters: Counters,
        disk: Disk,
        segments: list[Segment],
        retention: Retention | None = None,
    ) -> None:
        self._folder = folder
        self._segment_bytes = segment_bytes
        self._max_bytes = max_bytes
        self._counters = counters
        self._disk = disk
        self._retention = retention or Retention()
        self._changed = threading.Condition()
        self._segments = segments  # guarded by _changed; ascending numbers
        self._writing: _Writing | None = None
        self._end: Position = ORIGIN
        self._written: Position = ORIGIN
        self._floor: Position = ORIGIN
        self._closed = False
        self._damaged: set[Position] = set()

    @classmethod
    def open(
        cls,
        folder: Path,
        *,
        segment_bytes: int,
        max_bytes: int,
        counters: Counters,
        disk: Disk | None = None,
        durable: Position = ORIGIN,
        retention: Retention | None = None,
    ) -> Spool:
        """Open or create the spool folder; cuts a torn tail, counts what is damaged, never refuses to start.

        durable: the newest position that the registry knows; nothing before it is a torn tail, whatever it looks like.
        """
        disk = disk or Disk()
        if not folder.is_dir():
            folder.mkdir(parents=True)
            disk.sync_folder(folder.parent)  # else a power cut may take the folder with all that is durable in it
        segments, tail = open_segments(folder, disk, durable.ordinal)
        if tail.torn:
            counters.inc("shutan_spool_torn_total")
        spool = cls(
            folder,
            segment_bytes=segment_bytes,
            max_bytes=max_bytes,
            counters=counters,
            disk=disk,
            segments=segments,
            retention=retention,
        )
        spool._start_at(tail, durable)
        return spool

    def _start_at(self, tail: Tail, durable: Position) -> None:
        end = Position(tail.number, tail.offset, tail.ordinal)
        if durable.ordinal > end.ordinal:
            # Files that the registry counted on are gone: the numbers between are damaged, never used again.
            end = Position(max(end.segment, durable.segment), end.offset, durable.ordinal)
        self._end = self._written = end
        self._show_size()

    @property
    def first(self) -> Position:
        """Oldest position still held."""
        with self._changed:
            return start_of(self._segments[0]) if self._segments else self._end

    @property
    def end(self) -> Position:
        """Durable end: everything before it survives a power cut."""
        with self._changed:
            return self._end

    def append_batch(self, records: Sequence[SpoolRecord]) -> Position:
        """Write one group; readers see it after `sync`. Raises SpoolFull or SpoolWriteError, then nothing was added.

        Without a `sync` in between, a batch that starts a new segment syncs the ones before it.
        """
        if not records:
            return self._written
        try:
            group, at = self._encoded(records)
            assert self._writing is not None  # noqa: S101 - _encoded opened it
            self._disk.write(self._writing.descriptor, group, at)
        except OSError as error:
            raise self._failure(error, "write") from error
        number = self._writing.number
        self._written = Position(number, at + len(group), self._written.ordinal + len(records))
        return self._written

    def _encoded(self, records: Sequence[SpoolRecord]) -> tuple[bytes, int]:
        """The group's bytes and offset, in a segment with room for it."""
        if self._writing is not None:
            at = self._written.offset
            group = layout.encode_group(records, self._written.ordinal, layout.seed_of(self._writing.number))
            if at + len(group) <= self._writing.size:
                return group, at
            self.sync()
            self._finish_segment()
        need = FIRST_GROUP + 64 + sum(len(record.raw) + 48 for record in records)
        self._writing = self._next_segment(max(self._segment_bytes, need))
        return layout.encode_group(records, self._written.ordinal, layout.seed_of(self._writing.number)), FIRST_GROUP

    def sync(self, on_durable: Callable[[], None] | None = None) -> Position:
        """One fdatasync; then `on_durable` (counters), then readers see the new end. Raises SpoolWriteError.

        After a failure nobody knows what the disk holds (the kernel may drop the dirty pages and report success next
        time), so the segment is given up at its last durable group and the caller appends the batch again.
        """
        if self._writing is None or self._written == self._end:
            return self._end
        began_s = time.monotonic()
        try:
            self._disk.sync_data(self._writing.descriptor)
        except OSError as error:
            self._written = self._end
            self._finish_segment()
            raise self._failure(error, "sync") from error
        self._counters.observe("shutan_spool_sync_seconds", time.monotonic() - began_s)
        self._counters.inc("shutan_spool_syncs_total")
        self._counters.set("shutan_fsyncs_total", self._disk.syncs, of="spool")
        if on_durable is not None:
            on_durable()
        with self._changed:
            self._end = self._written
            self._changed.notify_all()
        return self._end

    def discard_unsynced(self) -> None:
        """Give up what was appended and never synced (its writer failed in between)."""
        if self._written != self._end:
            self._written = self._end
            self._finish_segment()

    def _next_segment(self, size: int) -> _Writing:
        self._make_room(size)
        number = max(self._end.segment, self._segments[-1].number if self._segments else 0) + 1
        path = self._folder / f"{number:010d}.seg"
        with contextlib.suppress(FileNotFoundError):
            path.unlink()  # what an earlier failure of this very step left; the list says that it holds nothing
        descriptor = self._create(path, size)
        ordinal = self._written.ordinal
        try:
            self._disk.write(descriptor, layout.encode_header(Header(number, ordinal, time.time_ns() // 1_000_000)), 0)
            self._disk.sync_data(descriptor)
            self._disk.sync_folder(self._folder)
        except OSError:
            self._disk.close(descriptor)
            with contextlib.suppress(OSError):
                path.unlink()
            raise
        with self._changed:
            self._segments = [*self._segments, Segment(number, path, ordinal, size)]
        self._show_size()
        return _Writing(descriptor, number, size)

    def _create(self, path: Path, size: int) -> int:
        """The new file; on a full disk delivered segments go for it, oldest first. Raises OSError."""
        while True:
            try:
                return self._disk.create(path, size)
            except OSError as error:
                if error.errno not in _NO_SPACE or not self._drop_oldest():
                    raise

    def _make_room(self, size: int) -> None:
        while self.held_bytes + size > self._max_bytes:
            if not (self._drop_oldest() or self._thin_oldest()):
                self._counters.inc("shutan_spool_errors_total", kind="limit")
                raise SpoolFull(f"spool limit of {self._max_bytes} bytes reached in {self._folder}")

    def _thin_oldest(self) -> bool:
        """Make an undelivered segment smaller, if the retention does that; positions are found again by ordinal."""
        with self._changed:
            held = [one for one in self._segments if not self._is_writing(one.number)]
        thinned = self._retention.thin(held)
        if thinned is None:
            return False
        with self._changed:
            self._segments = [thinned.after if one is thinned.before else one for one in self._segments]
        self._show_size()
        return True

    def _finish_segment(self) -> None:
        """Close the segment being written and give its unused space back."""
        writing, self._writing = self._writing, None
        if writing is None:
            return
        self._disk.close(writing.descriptor)
        used = self._written.offset if self._written.segment == writing.number else FIRST_GROUP
        with self._changed:
            path = self._segments[-1].path
        with contextlib.suppress(OSError):
            self._disk.truncate(path, used)
            with self._changed:
                self._segments = [*self._segments[:-1], self._segments[-1]._replace(size=used)]
        self._show_size()

    def _failure(self, error: OSError, step: str) -> SpoolFull | SpoolWriteError:
        if error.errno in _NO_SPACE:
            self._counters.inc("shutan_spool_errors_total", kind="full")
            return SpoolFull(f"no space left for the spool in {self._folder}")
        self._counters.inc("shutan_spool_errors_total", kind=step)
        return SpoolWriteError(f"{step} of the spool in {self._folder} failed: {error.strerror or error}")

    @property
    def held_bytes(self) -> int:
        """Bytes of all segment files, preallocated space included."""
        with self._changed:
            return sum(segment.size for segment in self._segments)

    def _show_size(self) -> None:
        self._counters.set("shutan_spool_bytes", self.held_bytes)

    def read(self, position: Position, max_bytes: int) -> tuple[list[SpoolRecord], Position]:
        """Whole groups from `position` up to the durable end, about `max_bytes` of them, at least one if there is one.

        Damaged records are skipped and counted: `next.ordinal - position.ordinal - len(records)` of them; the caller
        counts them as dead. A position below `first` continues at `first` (same arithmetic).
        Nothing new: ([], position).
        """
        with self._changed:
            end, segments = self._end, self._segments
        records: list[SpoolRecord] = []
        room = max_bytes
        while room > 0 and position.ordinal < end.ordinal:
            here, following = segment_of(segments, position.ordinal)
            cut = min(end, start_of(following)) if following is not None else end
            if here is None:
                position = cut
                continue
            if position.segment != here.number:
                position = Position(here.number, FIRST_GROUP, position.ordinal)
            taken, after = self._read_segment(here, position, cut, room)
            records += taken
            room -= max(1, after.offset - position.offset)
            position = cut if after.ordinal >= cut.ordinal else after
        return records, position

    def _read_segment(
        self, here: Segment, position: Position, cut: Position, room: int
    ) -> tuple[list[SpoolRecord], Position]:
        """Groups of one segment; `cut` is where its content ends (its own durable end, or the next segment's start)."""
        limit = cut.offset if cut.segment == here.number else here.size
        seed = layout.seed_of(here.number)
        data = self._load(here, position.offset, min(room, limit - position.offset))
        head = layout.parse_head(data, 0, seed)
        if position.offset != FIRST_GROUP and (head is None or head[2] != position.ordinal):
            moved = opening.offset_of(self._load(here, 0, here.size), position.ordinal, seed)
            if moved not in {None, position.offset}:  # the segment was thinned
                return self._read_segment(here, position._replace(offset=moved), cut, room)
        if head is not None and head[0] > len(data) and position.offset + head[0] <= limit:
            data = self._load(here, position.offset, head[0])
        records: list[SpoolRecord] = []
        at, ordinal = 0, position.ordinal
        while ordinal < cut.ordinal:
            group = layout.parse_group(data, at, seed)
            if group is None:
                break
            after = group.ordinal + len(group.records)
            if after > ordinal:  # else the place was lost and the segment is walked from its start
                records += group.records
                ordinal = after
            at = group.stop
        if at == 0:
            return self._recover(here, position, cut, limit)
        return records, Position(here.number, position.offset + at, ordinal)

    def _recover(
        self, here: Segment, position: Position, cut: Position, limit: int
    ) -> tuple[list[SpoolRecord], Position]:
        """The group at `position` is damaged: keep its whole records, count the others once."""
        data = self._load(here, position.offset, limit - position.offset)
        records, stop, after, lost = opening.salvage(data, layout.seed_of(here.number), position.ordinal, cut.ordinal)
        if lost > 0 and self._is_news(position):
            self._counters.inc("shutan_spool_damaged_total", lost)
        return records, Position(here.number, position.offset + stop, after)

    def _is_news(self, place: Position) -> bool:
        with self._changed:
            if place in self._damaged or len(self._damaged) >= _DAMAGE_NOTES:
                return False
            self._damaged.add(place)
            return True

    def _load(self, here: Segment, offset: int, size: int) -> bytes:
        try:
            return self._disk.read(here.path, offset, max(0, size))
        except OSError:  # a file deleted or unreadable below us is damage like any other
            return b""

    def position_before(self, ordinal: int) -> Position:
        """A position at or before the record with this ordinal, as near as segments tell without reading."""
        with self._changed:
            here, _ = segment_of(self._segments, max(0, ordinal))
        return self.first if here is None else start_of(here)

    def wait(self, position: Position, timeout_s: float) -> bool:
        """Block until durable data is beyond `position` (True) or the time is over or the spool is closed (False)."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._end.ordinal > position.ordinal, timeout_s)
            return self._end.ordinal > position.ordinal

    def drop_below(self, position: Position) -> int:
        """Delete delivered segments (whole ones below `position`) that the retention gives up; returns how many."""
        self._floor = max(self._floor, position)
        with self._changed:
            delivered = self._delivered()
        return self._drop(self._retention.expired(delivered))

    def _delivered(self) -> list[Segment]:
        """Segments below every store, oldest first; called with the lock held."""
        floor = self._floor.segment
        return [one for one in self._segments if one.number < floor and not self._is_writing(one.number)]

    def _drop_oldest(self) -> bool:
        """Delete the oldest delivered segment for its room; False when there is none."""
        return self._drop(1) > 0

    def _drop(self, count: int) -> int:
        with self._changed:
            doomed = self._delivered()[:count]
            self._segments = self._segments[len(doomed) :]
        for segment in doomed:
            with contextlib.suppress(OSError):
                segment.path.unlink()
        if doomed:
            self._show_size()
        return len(doomed)

    def _is_writing(self, number: int) -> bool:
        return self._writing is not None and self._writing.number == number

    def close(self) -> None:
        """Wake all waiters and close the files; what was not synced is not durable."""
        self._written = self._end
        self._finish_segment()
        with self._changed:
            self._closed = True
            self._changed.notify_all()
