"""What a store does at its start, at the first time sync and at a planned stop. Loaded for that, then dropped."""

import os
from binascii import crc32  # pyright: ignore[reportUnknownVariableType] - its stub gives `data` no type
from struct import pack, unpack  # pyright: ignore[reportUnknownVariableType] - its stub names `array` without a type

from shutan_node import record
from shutan_node.journal import FIRST, FOLDER, ID, LAST
from shutan_node.store import LAYOUT, STATE

TYPE_CHECKING = False  # type checkers read this name as true, both runtimes as false
if TYPE_CHECKING:
    from shutan_node.journal import Journal
    from shutan_node.store import Store


def scan(journal: "Journal") -> None:
    """Find all whole pages of the segments on flash. Takes a second per megabyte on a board."""
    for name in journal.files.names(FOLDER):
        if len(name) == 8:
            segment = [int(name, 16), 0, 0, journal.files.size(FOLDER + "/" + name)]
            pos = journal.load(segment, 0)
            while pos >= 0:
                segment[FIRST] = segment[FIRST] or journal.number
                segment[LAST] = journal.number + journal.loaded - 1
                pos = journal.load(segment, pos + journal.size)
            journal.segments.append(segment)
            journal.id = segment[ID]
            journal.last = max(journal.last, segment[LAST])


def recover(store: "Store", shape: int, was: int) -> bool:
    """Load the state and the journal; False if a store had to be given up and formatted.

    shape: meaning of the columns from now on; was: an older one that it extends. Records of any other are unreadable.
    """
    files = store.files
    journal = store.journal
    raw = bytearray(41)
    size = files.read(STATE, 0, raw)
    state = bytes(raw[:37])
    whole = size == 41 and pack("<I", crc32(state) & 0xFFFFFFFF) == bytes(raw[37:])
    held = [name for name in files.names(FOLDER) if len(name) == 8]
    store.shape = shape
    before = shape
    if whole:
        store.id, store.reserved, store.done, store.acked, before, store.bdseq = unpack(LAYOUT, state)
    if not whole or (held and before not in (shape, was)):
        for name in files.names(FOLDER):
            files.remove(FOLDER + "/" + name)
        store.id = int.from_bytes(os.urandom(8), "little")
        store.reserved = store.done = store.acked = 0
        store.save()
        return not held and not size
    if before != shape:
        store.save()
    scan(journal)
    store.first = store.done + 1
    journal.release(store.done)
    if not journal.segments:
        for name in files.names(FOLDER):
            files.remove(FOLDER + "/" + name)  # clocks of earlier boots
    known = max(store.done, journal.last)
    begin = journal.first()
    store.newest = store.reserved = max(store.reserved, journal.last)
    store.ring.reset(store.newest + 1)
    if begin > store.first:
        store.lost += begin - store.first
        store.gap(store.acked + 1, begin - 1, False, 0, 0)
    lost = store.ring.first - 1 - known
    if lost > 0:
        store.unsaved = lost
        store.lost += lost
        store.gap(known + 1, known + lost, True, 0, 0)
    if store.ring.first <= store.ring.last:
        store.spill()
        store.first = journal.first() or store.first  # what is before is closed by the gap records just written
        store.done = store.first - 1
        store.save()
    return True


def stamp(store: "Store", offset_ms: int) -> None:
    """The time is known: uptimes become UTC, in RAM at once, on flash when they are read (also by a later boot)."""
    if store.offset_ms is None:
        store.offset_ms = offset_ms
        for number in range(store.ring.first, store.ring.last + 1):
            record.stamp(store.ring.get(number), offset_ms)
        if store.relative:
            name = FOLDER + "/t%08x" % store.journal.boot
            store.files.replace(name, offset_ms.to_bytes(8, "little"))


def close(store: "Store") -> None:
    """Planned stop: everything to flash and no number left reserved, so that nothing counts as unsaved."""
    store.spill()
    if store.ring.first > store.ring.last:
        store.reserved = store.newest
    store.save()
