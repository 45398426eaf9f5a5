"""Reading the spool without being its writer: beside a running gateway, or when it is stopped. Nothing is changed.

Segments are immutable but for the last one, whose torn or unfinished tail is simply not read. What is damaged is read
around, as the gateway does.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from shutan_gateway.errors import StartError
from shutan_gateway.spool import segment as layout
from shutan_gateway.spool.segment import FIRST_GROUP

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from shutan_gateway.spool.segment import SpoolRecord

__all__ = ["SegmentView", "Taken", "end_of", "records", "segments"]

_HEAD_BYTES = 24


class SegmentView(NamedTuple):
    """A segment file: number, path, ordinal of its first record, bytes that it takes on the disk."""

    number: int
    path: Path
    first_ordinal: int
    taken_bytes: int


class Taken(NamedTuple):
    """A record with its ordinal: how many records were accepted before it."""

    ordinal: int
    record: SpoolRecord


def segments(folder: Path) -> list[SegmentView]:
    """The segments that can be read, in order. Raises StartError when the folder cannot be read."""
    found: list[SegmentView] = []
    try:
        paths = sorted(folder.glob("*.seg"))
    except OSError as error:
        raise StartError(f"{folder}: {error.strerror or error}") from error
    for path in paths:
        try:
            number = int(path.stem)
            with path.open("rb") as file:
                header = layout.parse_header(file.read(FIRST_GROUP), number)
                taken = os.fstat(file.fileno()).st_blocks * 512
        except FileNotFoundError:  # dropped this moment
            continue
        except (OSError, ValueError) as error:
            raise StartError(f"{path}: {error}; run this as the user of the gateway") from error
        if header is not None:
            found.append(SegmentView(number, path, header.first_ordinal, taken))
    return found


def records(one: SegmentView, offset: int = FIRST_GROUP, ordinal: int | None = None) -> Iterator[Taken]:
    """Records of a segment from a group boundary on; an offset that is none is taken for the segment's start.

    ordinal: of the first record wanted. Ends at the first group that is not whole and has no whole one behind it.
    """
    at, wanted = offset, one.first_ordinal if ordinal is None else ordinal
    seed = layout.seed_of(one.number)
    try:
        descriptor = os.open(one.path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        head = layout.parse_head(os.pread(descriptor, _HEAD_BYTES, at), 0, seed)
        if head is None or head[2] > wanted:  # no boundary, or another one since the segment was thinned
            at = FIRST_GROUP
        while True:
            head = layout.parse_head(os.pread(descriptor, _HEAD_BYTES, at), 0, seed)
            group = None if head is None else layout.parse_group(os.pread(descriptor, head[0], at), 0, seed)
            if group is not None:
                found, first, at = group.records, group.ordinal, at + group.stop
            else:
                rest = os.pread(descriptor, os.fstat(descriptor).st_size - at, at)
                behind = layout.next_head(rest, 8, seed)
                if behind is None:
                    return
                damaged = layout.recover_group(rest, 0, len(rest), seed)
                following = layout.parse_head(rest, behind, seed)
                after = damaged.following if damaged.following is not None or following is None else following[2]
                found, at = damaged.records, at + max(8, damaged.stop)
                # Which of its records are missing is not known: they are numbered from its end.
                first = (after or 0) - len(found)
            yield from (Taken(first + n, record) for n, record in enumerate(found) if first + n >= wanted)
    finally:
        os.close(descriptor)


def end_of(found: Sequence[SegmentView]) -> int:
    """Ordinal behind the last whole record."""
    return max([found[-1].first_ordinal, *_heads(found[-1])]) if found else 0


def _heads(one: SegmentView) -> Iterator[int]:
    """The ordinal behind each whole group of a segment, without reading the records."""
    seed, at = layout.seed_of(one.number), FIRST_GROUP
    with one.path.open("rb") as file:
        descriptor = file.fileno()
        size = os.fstat(descriptor).st_size
        while (head := layout.parse_head(os.pread(descriptor, _HEAD_BYTES, at), 0, seed)) is not None:
            total, count, ordinal = head
            if at + total > size:
                return
            yield ordinal + count
            at += total
