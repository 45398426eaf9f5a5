"""Numbered records from their birth to the acknowledgement: RAM first, flash when needed.

Order by number: journal (flash), then ring (RAM), then the next number. Nothing between `first` and `newest` is ever
deleted without a gap record that says so.
"""

from array import array
from binascii import crc32  # pyright: ignore[reportUnknownVariableType] - its stub gives `data` no type
from struct import pack

from shutan_node import record
from shutan_node.console import unload
from shutan_node.journal import FOLDER

TYPE_CHECKING = False  # type checkers read this name as true, both runtimes as false
if TYPE_CHECKING:
    from shutan_node import shapes
    from shutan_node.clock import Clock
    from shutan_node.journal import Journal

STATE = "state"
LAYOUT = "<QQQQIB"


class Ring:
    """A FIFO of bodies in one bytearray, found by record number.

    records: most bodies held at a time; size: bytes for their contents, each body in one piece.
    `first`..`last` are the numbers held; `last` = `first` - 1 when it is empty.
    """

    def __init__(self, records: int, size: int) -> None:
        self._buffer = memoryview(bytearray(size))
        self._begins = array("H", bytes(2 * records))
        self._sizes = array("H", bytes(2 * records))
        self.first = 1
        self.last = 0

    def reset(self, first: int) -> None:
        """Forget everything; the next body gets the number `first`."""
        self.first = first
        self.last = first - 1

    def put(self, body: "bytes | bytearray | memoryview") -> bool:
        """Append a body as number last + 1; False when there is no room for it now."""
        count = self.last - self.first + 1
        slots = len(self._begins)
        size = len(body)
        if count == slots:
            return False
        begin = 0
        limit = len(self._buffer)
        if count:
            low = self._begins[self.first % slots]
            begin = self._begins[self.last % slots]
            after = begin + self._sizes[self.last % slots]
            if begin < low:  # already wrapped: free is after..low
                limit = low
            elif after + size > limit and size <= low:
                after = 0
                limit = low
            begin = after
        if begin + size > limit:
            return False
        slot = (self.last + 1) % slots
        self._begins[slot] = begin
        self._sizes[slot] = size
        self._buffer[begin : begin + size] = body
        self.last += 1  # last: a planned stop may interrupt anywhere
        return True

    def get(self, number: int) -> memoryview:
        """The body of a held number, as a view into the window."""
        slot = number % len(self._begins)
        begin = self._begins[slot]
        return self._buffer[begin : begin + self._sizes[slot]]

    def drop(self, number: int) -> None:
        """Forget everything up to and including `number`."""
        self.first = min(max(self.first, number + 1), self.last + 1)


class Store:
    """All records of this node.

    id: random 64 bits, new when formatted; first: oldest number still wanted; done: below `first`, and flash
    says why; newest: last number given; shape: meaning of the columns on flash; acked: the host's word, 0 = never any;
    unsaved: upper bound of the records that a reset took with it; bdseq: of the last session.
    failures: writes that flash refused; lost: records declared lost in this boot; holes: the newest declared ranges,
    so that a replay does not declare them again; lost_ranges: overwritten, their gap records still to come;
    gap_ms, gap_start_ms: time of the newest gap record and of the first record that it covers;
    offset_ms: this boot's epoch at uptime 0, as of the first sync; relative: uptimes went to flash before it.
    """

    def __init__(self, files: "shapes.Files", journal: "Journal", ring: Ring, block: int, clock: "Clock") -> None:
        self.journal = journal
        self.ring = ring
        self.files = files
        self._block = block
        self.clock = clock
        self.offset_ms: int | None = None
        self.relative = False
        self.lost_ranges: list[tuple[int, int, int, int]] = []
        self.gap_ms = -1
        self.gap_start_ms = 0
        self.holes: list[tuple[int, int]] = []
        self.id = 0
        self.shape = 0
        self.reserved = 0
        self.bdseq = 255
        self.first = 1
        self.done = 0
        self.newest = 0
        self.acked = 0
        self.unsaved = 0
        self.failures = 0
        self.lost = 0

    def save(self) -> None:
        """Write the state. OSError when flash refuses even after room was made."""
        data = pack(LAYOUT, self.id, self.reserved, self.done, self.acked, self.shape, self.bdseq)
        data += pack("<I", crc32(data) & 0xFFFFFFFF)
        try:
            self.files.replace(STATE, data)
        except OSError:
            self.failures += 1
            self._overwrite()
            self.files.replace(STATE, data)

    def add(self, body: "bytearray | memoryview") -> int:
        """Keep a new record; its number. OSError when flash refuses to reserve numbers."""
        ring = self.ring
        if not ring.put(body):
            self.spill()
            if not ring.put(body):
                from shutan_node import gaps

                gaps.shed(self)
                if not ring.put(body):
                    raise OSError("no room for a record")
        if ring.last > self.reserved:
            try:
                self.reserve(ring.last)
            except OSError:
                ring.last -= 1
                raise
        self.newest = ring.last
        return self.newest

    def reserve(self, number: int) -> None:
        """Reserve numbers up to `number` or, where that is more, a block beyond what is safe; OSError from flash."""
        before = self.reserved
        self.reserved = max(number, self.ring.first - 1 + self._block)
        try:
            self.save()
        except OSError:
            self.reserved = before
            raise

    def gap(self, low: int, high: int, unsaved: bool, start_ms: int, end_ms: int) -> None:
        """Declare that the records low..high will never come."""
        from shutan_node import gaps

        gaps.declare(self, low, high, unsaved, start_ms, end_ms)
        unload("shutan_node.gaps")

    def spill(self) -> None:
        """Move all of RAM to flash. What flash refuses stays in RAM."""
        ring = self.ring
        while ring.first <= ring.last:
            while self.journal.full() and self._overwrite():
                pass
            try:
                last = self.journal.append(ring)
            except OSError:
                self.failures += 1
                if not self._overwrite():
                    break
                continue
            self.relative = self.relative or self.offset_ms is None
            ring.drop(last)
        lost = self.lost_ranges
        self.lost_ranges = []
        for low, high, start, end in lost:
            self.gap(low, high, False, start, end)
        if ring.first > ring.last:
            self.done = max(self.done, self.first - 1)  # every gap record is on flash

    def _overwrite(self) -> bool:
        """Delete the oldest segment to make room; False without one."""
        from shutan_node import gaps

        done = gaps.overwrite(self)
        unload("shutan_node.gaps")
        return done

    def seek(self, number: int) -> "tuple[int, memoryview] | None":
        """(number, body) of the first record held at or above `number`; its body is stamped if the clock is."""
        while number <= self.journal.last:
            found = self.journal.seek(number)
            if found is None:
                break
            number, body = found
            if not body[0] & record.RELATIVE:
                return found
            offset = self._offset(self.journal.page_boot)
            if offset is None and body[0] & record.GAP:
                record.put_time(body, 0)  # a gap's own time is not a measurement
                offset = self.clock.now()[0]
            if offset is not None:
                record.stamp(body, offset)
                return found
            number += 1  # read in a boot that never learned the time
        ring = self.ring
        number = max(number, ring.first)
        return (number, ring.get(number)) if number <= ring.last else None

    def _offset(self, boot: int) -> "int | None":
        if boot == self.journal.boot:
            return self.offset_ms
        buffer = bytearray(8)
        size = self.files.read(FOLDER + "/t%08x" % boot, 0, buffer)
        return int.from_bytes(buffer, "little") if size == 8 else None

    def ack(self, store_id: int, number: int) -> bool:
        """Take an acknowledgement; False if it is another store's, impossible, or nothing new."""
        if store_id != self.id or not self.first <= number <= self.newest:
            return False
        self.acked = number
        self.release(number)
        return True

    def release(self, number: int) -> None:
        """Forget everything up to `number`."""
        self.first = max(self.first, number + 1)
        self.done = max(self.done, number)
        self.ring.drop(number)
        if self.journal.done(number):
            self.save()  # first, or a reset would take the deleted records for lost ones
            self.journal.release(number)

    def journaled(self) -> int:
        """Unacknowledged records on flash (holes counted in)."""
        return max(0, self.journal.last - max(self.first, self.journal.first()) + 1) if self.journal.first() else 0
