"""Layout of a spool segment file, as pure functions over bytes. All numbers little-endian.

    segment   header (64 B) | the same header again | group | group | ... | zeros (preallocated)
    header    magic 8 B | version u16 | 0 u16 | number u64 | first ordinal u64 | created ms u64 | zeros | CRC u32
    group     head | record ... | zeros to a multiple of 8 | table | tail
    head      "SGH1" | total u32 | count u32 | first ordinal u64 | CRC u32 of the head so far
    record    length u32 | CRC u32 of length and body | body
    body      kind u8 | 3 zeros | sub_ns u32 | schema u32 | session u32 | record u64 | received ms u64 | raw payload
    table     length u32 per record
    tail      "SGT1" | total u32 | count u32 | first ordinal u64 | CRC u32 of the records | CRC u32 of table and tail

Everything needed to walk a group stands twice (head and tail, record length and table), so one flipped bit anywhere
costs at most the record that it hits. Every CRC starts from a seed made of the segment number, so that a block of
another segment is never taken for one of this. Groups start at multiples of 8: the next one is found cheaply.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple
from zlib import crc32

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "FIRST_GROUP",
    "MAX_COUNT",
    "Damaged",
    "Group",
    "Header",
    "SpoolRecord",
    "encode_group",
    "encode_header",
    "newer_version",
    "next_head",
    "parse_group",
    "parse_head",
    "parse_header",
    "recover_group",
    "seed_of",
]

VERSION = 1
FIRST_GROUP = 128
MAX_COUNT = 1_000_000

_HEADER = struct.Struct("<8sHHQQQ24xI")
_HEADER_MAGIC = b"SHUTANSP"
_HEAD = struct.Struct("<4sIIQI")
_TAIL = struct.Struct("<4sIIQII")
_HEAD_MAGIC = b"SGH1"
_TAIL_MAGIC = b"SGT1"
_RECORD = struct.Struct("<II")
_BODY = struct.Struct("<B3xIIIQQ")
_ALIGN = 8
_SMALLEST = _HEAD.size + _TAIL.size


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


class Header(NamedTuple):
    """What a segment says about itself."""

    number: int
    first_ordinal: int
    created_ms: int


class Group(NamedTuple):
    """One whole group: its place in the data (bytes), ordinal of its first record, its records."""

    start: int
    stop: int
    ordinal: int
    records: list[SpoolRecord]


class Damaged(NamedTuple):
    """What is left of a group: its place (bytes), the ordinal behind its last record, the records that are whole.

    following is None when neither head nor tail could be read.
    """

    start: int
    stop: int
    following: int | None
    records: list[SpoolRecord]


def seed_of(number: int) -> int:
    """Start value of every CRC in segment `number`."""
    return crc32(struct.pack("<Q", number), 0x53505031)


def encode_header(header: Header) -> bytes:
    """Both copies of the header: FIRST_GROUP bytes."""
    text = _HEADER.pack(_HEADER_MAGIC, VERSION, 0, header.number, header.first_ordinal, header.created_ms, 0)
    text = text[:-4] + struct.pack("<I", crc32(text[:-4], seed_of(header.number)))
    return text + text


def parse_header(data: bytes, number: int) -> Header | None:
    """Header from the first FIRST_GROUP bytes of segment `number`; None when both copies are damaged or foreign."""
    for start in (0, _HEADER.size):
        text = data[start : start + _HEADER.size]
        if len(text) < _HEADER.size:
            return None
        magic, version, _, named, first_ordinal, created_ms, crc = _HEADER.unpack(text)
        if magic == _HEADER_MAGIC and crc == crc32(text[:-4], seed_of(number)) and named == number:
            return Header(number, first_ordinal, created_ms) if version == VERSION else None
    return None


def newer_version(data: bytes, number: int) -> int | None:
    """Version of an undamaged header that this program does not know yet, else None."""
    for start in (0, _HEADER.size):
        text = data[start : start + _HEADER.size]
        if len(text) == _HEADER.size and crc32(text[:-4], seed_of(number)) == _HEADER.unpack(text)[6]:
            magic, version = _HEADER.unpack(text)[:2]
            return version if magic == _HEADER_MAGIC and version > VERSION else None
    return None


def encode_group(records: Sequence[SpoolRecord], first_ordinal: int, seed: int) -> bytes:
    """One group of at least one record; its length is a multiple of 8."""
    parts: list[bytes] = []
    lengths = [len(record[6]) + _BODY.size for record in records]
    pack_record, pack_body = _RECORD.pack, _BODY.pack
    for length, (kind, schema_id, session_id, record, received_ms, sub_ns, raw) in zip(lengths, records, strict=True):
        body = pack_body(kind, sub_ns, schema_id, session_id, record, received_ms)
        parts += (pack_record(length, crc32(raw, crc32(body, seed ^ length))), body, raw)
    content = b"".join(parts)
    table = struct.pack(f"<{len(lengths)}I", *lengths)
    open_bytes = len(content) + len(table) + _SMALLEST
    content += bytes(-open_bytes % _ALIGN)
    total = len(content) + len(table) + _SMALLEST
    head = _HEAD.pack(_HEAD_MAGIC, total, len(lengths), first_ordinal, 0)[:-4]
    tail = _TAIL.pack(_TAIL_MAGIC, total, len(lengths), first_ordinal, crc32(content, seed), 0)[:-4]
    return b"".join(
        (
            head,
            struct.pack("<I", crc32(head, seed)),
            content,
            table,
            tail,
            struct.pack("<I", crc32(tail, crc32(table, seed))),
        )
    )


def parse_head(data: bytes | memoryview, at: int, seed: int) -> tuple[int, int, int] | None:
    """(total bytes, count, first ordinal) of the group that starts at `at`, or None."""
    if at + _HEAD.size > len(data):
        return None
    magic, total, count, ordinal, crc = _HEAD.unpack_from(data, at)
    if magic != _HEAD_MAGIC or crc != crc32(data[at : at + _HEAD.size - 4], seed):
        return None
    return (total, count, ordinal) if _plausible(total, count) else None


def parse_group(data: bytes, at: int, seed: int) -> Group | None:
    """The whole, undamaged group at `at`; None when it is cut, damaged or not there."""
    head = parse_head(data, at, seed)
    if head is None:
        return None
    total, count, ordinal = head
    stop = at + total
    if stop > len(data):
        return None
    tail = _parse_tail(data, stop, seed)
    if tail is None or tail[:3] != head:
        return None
    first = at + _HEAD.size
    table_at = stop - _TAIL.size - 4 * count
    with memoryview(data) as view:
        if crc32(view[first:table_at], seed) != tail[3]:
            return None
    records: list[SpoolRecord] = []
    place = first + _RECORD.size
    for length in struct.unpack_from(f"<{count}I", data, table_at):
        records.append(_body(data, place, length))
        place += length + _RECORD.size
    return Group(at, stop, ordinal, records)


def next_head(data: bytes, at: int, seed: int) -> int | None:
    """Start of the next readable group head at or after `at` (a multiple of 8)."""
    place = data.find(_HEAD_MAGIC, at)
    while place >= 0:
        if place % _ALIGN == 0 and parse_head(data, place, seed) is not None:
            return place
        place = data.find(_HEAD_MAGIC, place + 1)
    return None


def recover_group(data: bytes, at: int, limit: int, seed: int) -> Damaged:
    """What can be saved of a damaged group at `at`; nothing of it lies at or behind `limit`.

    Its end comes from the head, else from a tail that points back to `at`, else from the next readable head, else it is
    `limit`. Records are found by the table of the tail, else by their own lengths, and each must match its CRC.
    """
    head = parse_head(data, at, seed)
    tail = None
    if head is not None and at + head[0] <= limit:
        stop = at + head[0]
        tail = _parse_tail(data, stop, seed)
    else:
        head = None
        following = next_head(data, at + _ALIGN, seed)
        stop = min(limit, following) if following is not None else limit
        tail_stop = _tail_of(data, at, stop, seed)
        if tail_stop is not None:
            stop, tail = tail_stop, _parse_tail(data, tail_stop, seed)
    first = at + _HEAD.size
    if tail is not None and at + tail[0] == stop:
        total, count, ordinal = tail[:3]
        lengths = struct.unpack_from(f"<{count}I", data, at + total - _TAIL.size - 4 * count)
        return Damaged(at, stop, ordinal + count, _records_by_table(data, first, lengths, stop, seed))
    records = _records_by_chain(data, first, stop, seed)
    return Damaged(at, stop, head[1] + head[2] if head else None, records)


def _plausible(total: int, count: int) -> bool:
    return (
        total % _ALIGN == 0 and 0 < count <= MAX_COUNT and total >= _SMALLEST + count * (_RECORD.size + _BODY.size + 4)
    )


def _parse_tail(data: bytes, stop: int, seed: int) -> tuple[int, int, int, int] | None:
    """(total, count, first ordinal, CRC of the records) of the tail that ends at `stop`."""
    at = stop - _TAIL.size
    if at < 0 or stop > len(data):
        return None
    magic, total, count, ordinal, content_crc, crc = _TAIL.unpack_from(data, at)
    if magic != _TAIL_MAGIC or not _plausible(total, count) or at - 4 * count < 0:
        return None
    if crc != crc32(data[at : stop - 4], crc32(data[at - 4 * count : at], seed)):
        return None
    return total, count, ordinal, content_crc


def _tail_of(data: bytes, at: int, limit: int, seed: int) -> int | None:
    """End of the tail that belongs to a group starting at `at`."""
    place = data.find(_TAIL_MAGIC, at, limit)
    while place >= 0:
        stop = place + _TAIL.size
        tail = _parse_tail(data, stop, seed) if stop <= limit else None
        if tail is not None and at + tail[0] == stop:
            return stop
        place = data.find(_TAIL_MAGIC, place + 1, limit)
    return None


def _records_by_table(data: bytes, first: int, lengths: Sequence[int], stop: int, seed: int) -> list[SpoolRecord]:
    records: list[SpoolRecord] = []
    place = first
    for length in lengths:
        body_at = place + _RECORD.size
        if length < _BODY.size or body_at + length > stop:
            break
        crc = _RECORD.unpack_from(data, place)[1]
        if crc == crc32(data[body_at : body_at + length], seed ^ length):
            records.append(_body(data, body_at, length))
        place = body_at + length
    return records


def _records_by_chain(data: bytes, first: int, stop: int, seed: int) -> list[SpoolRecord]:
    """Records one behind the other; a damaged one is stepped over as long as its length still leads to a good one."""
    records: list[SpoolRecord] = []
    place = first
    while place + _RECORD.size + _BODY.size <= stop:
        length, crc = _RECORD.unpack_from(data, place)
        body_at = place + _RECORD.size
        if length < _BODY.size or body_at + length > stop:
            break
        if crc == crc32(data[body_at : body_at + length], seed ^ length):
            records.append(_body(data, body_at, length))
        place = body_at + length
    return records


def _body(data: bytes, at: int, length: int) -> SpoolRecord:
    kind, sub_ns, schema_id, session_id, record, received_ms = _BODY.unpack_from(data, at)
    raw = data[at + _BODY.size : at + length]
    return SpoolRecord(kind, schema_id, session_id, record, received_ms, sub_ns, raw)
