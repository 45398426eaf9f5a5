"""Records that will never come, and the gap records that say so. Loaded when it happens and dropped after it."""

from shutan_node import record
from shutan_node.journal import FIRST, LAST

TYPE_CHECKING = False  # type checkers read this name as true, both runtimes as false
if TYPE_CHECKING:
    from shutan_node.edge import Edge
    from shutan_node.journal import Journal
    from shutan_node.store import Store

_HOLES = 8
_UINT64 = 8  # of shutan_wire.datatypes
_BOOLEAN = 11


def declare(  # noqa: PLR0917 - as a gap record has its fields
    store: "Store", low: int, high: int, unsaved: bool, start_ms: int, end_ms: int
) -> None:
    """Add the gap record for low..high. unsaved: lost with RAM or rotten; else overwritten. Times in ms or 0."""
    store.holes.append((low, high))
    if len(store.holes) > _HOLES:
        store.holes.pop(0)
    now, relative = store.clock.now()
    now = store.gap_ms = max(now, store.gap_ms + 1)  # two gaps never share their time
    body = bytearray(record.GAP_SIZE)
    body[0] = record.GAP | (record.RELATIVE if relative else 0) | (record.UNSAVED if unsaved else 0)
    record.put_time(body, now)
    at = record.HEAD
    for number in (low, high, start_ms, end_ms):
        body[at : at + 6] = number.to_bytes(6, "little")
        at += 6
    store.add(body)


def numbers(body: memoryview) -> "list[int]":
    """[from, to, start ms, end ms] of a gap body."""
    head = record.HEAD
    return [int.from_bytes(body[at : at + 6], "little") for at in range(head, record.GAP_SIZE, 6)]


def emit(edge: "Edge", body: memoryview, hi: int, lo: int, historical: bool) -> None:
    """Write the metrics of a gap record, and the new Store First with it."""
    from shutan_wire import records

    number = records.GAP_FROM_ID
    for value in numbers(body):
        edge.writer.metric_int(number, hi, lo, value >> 21, value & 0x1FFFFF, historical)
        number += 1
    unsaved = b"\x01" if body[0] & record.UNSAVED else b"\x00"
    edge.writer.metric(records.GAP_UNSAVED_ID, hi, lo, _BOOLEAN, unsaved, 0, historical)
    edge.writer.named_int(records.STORE_FIRST, None, hi, lo, _UINT64, edge.store.first)


def shed(store: "Store") -> None:
    """RAM is full and flash refuses: give up the oldest quarter of RAM. OSError if not even numbers can be had."""
    ring = store.ring
    store.reserve(ring.last + 2)  # first, so that the gap record itself cannot fail
    low = ring.first
    high = low + (ring.last - low) // 4
    ring.drop(high)
    store.lost += high - low + 1
    store.first = max(store.first, high + 1)
    declare(store, low, high, True, 0, 0)


def overwrite(store: "Store") -> bool:
    """Delete the oldest segment to make room; False without one. Its gap record follows when RAM is on flash.

    It covers everything since the acknowledgement: an older gap record may be among what is deleted.
    """
    journal = store.journal
    if not journal.segments:
        return False
    segment = journal.segments[0]
    low = max(segment[FIRST], store.first)
    high = segment[LAST]
    if high >= low:
        store.lost += high - low + 1
        if store.first == store.acked + 1:
            store.gap_start_ms = _time(journal, low)
        store.lost_ranges.append((store.acked + 1, high, store.gap_start_ms, _time(journal, high)))
        store.first = high + 1
    journal.files.remove(journal.name(segment))
    journal.segments.pop(0)
    return True


def _time(journal: "Journal", number: int) -> int:
    """UTC of a record on flash in ms, 0 = unknown."""
    found = journal.seek(number)
    return 0 if found is None or found[1][0] & record.RELATIVE else record.time_of(found[1])
