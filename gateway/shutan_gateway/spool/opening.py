"""Segments, positions, and opening the spool after any end of the process before: where its content stops."""

from __future__ import annotations

import contextlib
from bisect import bisect_right
from typing import TYPE_CHECKING, NamedTuple

from shutan_gateway.errors import StartError
from shutan_gateway.spool import segment as layout
from shutan_gateway.spool.segment import FIRST_GROUP, Header

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from shutan_gateway.spool.disk import Disk
    from shutan_gateway.spool.segment import SpoolRecord

__all__ = [
    "ORIGIN",
    "Position",
    "Segment",
    "Tail",
    "offset_of",
    "open_segments",
    "salvage",
    "segment_of",
    "start_of",
]

_ZEROS = bytes(65536)


class Position(NamedTuple):
    """A group boundary in the spool; positions compare in reading order.

    segment: number of the segment file, 0 = before the first; offset: bytes into it;
    ordinal: how many records were ever accepted before this place (damaged ones included).
    """

    segment: int
    offset: int
    ordinal: int


ORIGIN = Position(0, 0, 0)


class Segment(NamedTuple):
    """One segment file: its number, path, ordinal of its first record, size in bytes."""

    number: int
    path: Path
    first_ordinal: int
    size: int


class Tail(NamedTuple):
    """Where the newest segment ends, and whether a torn write was cut there."""

    number: int
    offset: int
    ordinal: int
    torn: bool


def open_segments(folder: Path, disk: Disk, durable_ordinal: int) -> tuple[list[Segment], Tail]:
    """All usable segments in order, and the end of the last one, which is cut to its content.

    durable_ordinal: records below it were committed according to the registry, so a damaged group among them is bit rot
    and stays; behind it an incomplete last group was never acknowledged and is cut to its whole records.
    """
    segments: list[Segment] = []
    for path in sorted(folder.glob("*.seg")):
        segment = _read_header(path, disk)
        if segment is not None:
            segments.append(segment)
    while segments:
        tail = _cut_tail(segments[-1], disk, durable_ordinal)
        if tail.offset > FIRST_GROUP:
            segments[-1] = segments[-1]._replace(size=tail.offset)
            return segments, tail
        with contextlib.suppress(OSError):  # no group inside: the process ended between header and first batch
            segments[-1].path.unlink()
        empty = segments.pop()
        if not segments:
            return [], Tail(empty.number, FIRST_GROUP, empty.first_ordinal, tail.torn)
    return [], Tail(0, 0, 0, torn=False)


def _read_header(path: Path, disk: Disk) -> Segment | None:
    """A segment from its file; None when the file holds nothing that can be read (it is put aside, not deleted)."""
    try:
        number = int(path.stem)
        size = path.stat().st_size
        data = disk.read(path, 0, FIRST_GROUP)
    except (ValueError, OSError):
        return None
    newer = layout.newer_version(data, number)
    if newer is not None:
        raise StartError(f"{path}: written by a newer version (format {newer}, known {layout.VERSION}); upgrade first")
    header = layout.parse_header(data, number)
    if header is None:
        header = _header_from_groups(path, number, disk)
    if header is None:
        with contextlib.suppress(OSError):
            path.rename(path.with_suffix(".unreadable"))
        return None
    return Segment(number, path, header.first_ordinal, size)


def _header_from_groups(path: Path, number: int, disk: Disk) -> Header | None:
    """Both copies of the header are damaged: the first readable group tells the ordinal."""
    try:
        data = disk.read(path, 0, path.stat().st_size)
    except OSError:
        return None
    at = layout.next_head(data, FIRST_GROUP, layout.seed_of(number))
    head = None if at is None else layout.parse_head(data, at, layout.seed_of(number))
    return None if head is None else Header(number, head[2], 0)


def _cut_tail(segment: Segment, disk: Disk, durable_ordinal: int) -> Tail:
    """Find the end of the content of the newest segment and cut the file there."""
    try:
        data = disk.read(segment.path, 0, segment.size)
    except OSError:
        return Tail(segment.number, segment.size, segment.first_ordinal, torn=False)
    seed = layout.seed_of(segment.number)
    at, ordinal, torn = FIRST_GROUP, segment.first_ordinal, False
    while at < len(data):
        group = layout.parse_group(data, at, seed)
        if group is not None:
            at, ordinal = group.stop, max(ordinal, group.ordinal + len(group.records))
            continue
        if _only_zeros(data, at):
            break
        damaged = layout.recover_group(data, at, len(data), seed)
        following = layout.parse_head(data, damaged.stop, seed)
        after = damaged.following
        if following is not None:
            after = following[2]
        known = after is not None and (after <= durable_ordinal or after == ordinal + len(damaged.records))
        if after is not None and (known or following is not None):
            at, ordinal = damaged.stop, max(after, ordinal)
            continue
        torn = True
        data = data[:at]
        if damaged.records:  # whole records of a torn group: kept, since they are here; never acknowledged, so optional
            data += layout.encode_group(damaged.records, ordinal, seed)
            ordinal += len(damaged.records)
            _replace(segment.path, disk, data)
        at = len(data)
    if at != segment.size:
        with contextlib.suppress(OSError):
            disk.truncate(segment.path, at)
    return Tail(segment.number, at, ordinal, torn)


def _replace(path: Path, disk: Disk, data: bytes) -> None:
    """Put `data` in the place of a file, atomically; on a full disk the old file stays, its tail is read as damaged."""
    temporary = path.with_suffix(".rewrite")
    with contextlib.suppress(OSError):
        temporary.unlink(missing_ok=True)
        descriptor = disk.create(temporary, len(data))
        try:
            disk.write(descriptor, data, 0)
            disk.sync_data(descriptor)
        finally:
            disk.close(descriptor)
        temporary.rename(path)
        disk.sync_folder(path.parent)


def _only_zeros(data: bytes, at: int) -> bool:
    while at < len(data):
        part = data[at : at + len(_ZEROS)]
        if part != _ZEROS[: len(part)]:
            return False
        at += len(part)
    return True


def start_of(segment: Segment) -> Position:
    """Position of the first record of a segment."""
    return Position(segment.number, FIRST_GROUP, segment.first_ordinal)


def segment_of(segments: Sequence[Segment], ordinal: int) -> tuple[Segment | None, Segment | None]:
    """The segment that holds a record and the one behind it; of segments that start alike the later one counts."""
    index = bisect_right(segments, ordinal, key=lambda segment: segment.first_ordinal)
    following = segments[index] if index < len(segments) else None
    return (segments[index - 1] if index else None), following


def offset_of(data: bytes, ordinal: int, seed: int) -> int | None:
    """Where in a whole segment the group begins whose first record has this ordinal; None when no head says so."""
    at = FIRST_GROUP
    while (head := layout.parse_head(data, at, seed)) is not None:
        if head[2] == ordinal:
            return at
        at += head[0]
    return None


def salvage(data: bytes, seed: int, first: int, last: int) -> tuple[list[SpoolRecord], int, int, int]:
    """What is left of a damaged group at the start of data: records, its end, the ordinal behind it, how many are lost.

    first: ordinal of the group's first record; last: ordinal behind the segment's content.
    """
    group = layout.recover_group(data, 0, len(data), seed)
    head = layout.parse_head(data, group.stop, seed)
    after = group.following
    if after is None:
        after = last if head is None else head[2]
    after = max(min(after, last), first)
    records = group.records[: after - first]
    lost = after - first - len(records)
    return records, group.stop, last if group.stop >= len(data) else after, lost
