"""Records on flash: append-only segment files of pages with a checksum each.

| page bytes | content                                                                  |
|------------|--------------------------------------------------------------------------|
| 2          | magic                                                                    |
| 2          | bytes of the records                                                     |
| 6          | number of the first record                                               |
| 2          | records in this page, numbered on without holes                          |
| 4          | boot that wrote it (the clock of uptime stamps)                          |
| 4          | CRC-32 of the 16 bytes above and the records                             |
| rest       | per record: length u16, body; then zeros up to a multiple of 16          |

A torn or rotten page costs that page: the next one is found at a multiple of 16. A segment is deleted as a whole, when
everything in it is acknowledged or when room is needed.
"""

import os
from binascii import crc32  # pyright: ignore[reportUnknownVariableType] - its stub gives `data` no type
from struct import pack_into, unpack_from  # pyright: ignore[reportUnknownVariableType] - its stub names `array` without a type

TYPE_CHECKING = False  # type checkers read this name as true, both runtimes as false
if TYPE_CHECKING:
    from shutan_node import shapes
    from shutan_node.store import Ring

FOLDER = "journal"
PAGE = 1024
RECORD_MAX = PAGE - 22  # bytes of one body

_HEAD = 20
_MAGIC = 0x4A53
_LAYOUT = "<HHIHHI"

ID = 0  # fields of a segment
FIRST = 1
LAST = 2
SIZE = 3


class Files:
    """Files below a root folder; names may hold one folder."""

    def __init__(self, root: str = "") -> None:
        self._root = root

    def names(self, folder: str) -> "list[str]":
        """Sorted names in a folder, which is made if it is missing."""
        try:
            return sorted(os.listdir(self._root + folder))
        except OSError:
            os.mkdir(self._root + folder)
            return []

    def size(self, name: str) -> int:
        """Bytes of a file, 0 when there is none."""
        try:
            return os.stat(self._root + name)[6]
        except OSError:
            return 0

    def read(self, name: str, offset: int, out: "bytearray | memoryview") -> int:
        """Read into `out` from an offset; bytes read, 0 at the end or without such a file."""
        try:
            with open(self._root + name, "rb") as file:  # pyright: ignore[reportUnknownVariableType] - its stub knows no type of file
                file.seek(offset)
                return int(file.readinto(out) or 0)  # pyright: ignore[reportUnknownArgumentType] - as above
        except OSError:
            return 0

    def append(self, name: str, data: "bytes | bytearray | memoryview") -> None:
        """Add to the end of a file; durable on return. OSError when there is no room."""
        with open(self._root + name, "ab") as file:  # pyright: ignore[reportUnknownVariableType] - its stub knows no type of file
            file.write(data)
            file.flush()

    def replace(self, name: str, data: bytes) -> None:
        """Write a small file so that a cut leaves the old or the new content."""
        new = self._root + name + ".new"
        with open(new, "wb") as file:  # pyright: ignore[reportUnknownVariableType] - its stub knows no type of file
            file.write(data)
            file.flush()
        os.rename(new, self._root + name)

    def remove(self, name: str) -> None:
        """Delete a file, if it is there."""
        try:  # noqa: SIM105 - no contextlib on MicroPython
            os.remove(self._root + name)
        except OSError:
            pass


class Journal:
    """The flash part of a store.

    limit: bytes that its files may take; boot: 32 bits that name this boot.
    `segments`: [id, first number, last number, bytes], oldest first; `last`: newest number ever found or written here,
    0 = none; `page_boot`: of the page that `seek` found; `loaded`, `number`, `size`: records left in the page buffer,
    the first of them, bytes of the whole page.
    """

    def __init__(self, files: "shapes.Files", limit: int, boot: int) -> None:
        self.files = files
        self._limit = limit
        self.boot = boot
        self._page = memoryview(bytearray(PAGE))
        self.segments: list[shapes.Segment] = []
        self.id = 0  # of the newest segment; never used again in a boot
        self.loaded = 0  # records in the page buffer, 0 = the buffer serves for writing
        self._segment = -1
        self._pos = 0
        self.number = 0  # record at `_at` of the page buffer
        self._at = 0
        self.size = 0
        self.page_boot = 0
        self.last = 0

    def first(self) -> int:
        """Oldest number held, 0 = none."""
        for segment in self.segments:
            if segment[LAST]:
                return segment[FIRST]
        return 0

    def name(self, segment: "shapes.Segment") -> str:
        """File of a segment."""
        return FOLDER + "/%08x" % segment[ID]

    def load(self, segment: "shapes.Segment", pos: int) -> int:
        """Read the first whole page at or after `pos`; its position, -1 = there is none."""
        page = self._page
        self.loaded = 0
        while True:
            have = self.files.read(self.name(segment), pos, page)
            if have < _HEAD:
                return -1
            magic, length, low, high, count, boot = unpack_from(_LAYOUT, page)
            if magic == _MAGIC and _HEAD + length <= have:
                crc = unpack_from("<I", page, 16)[0]
                if crc == crc32(page[_HEAD : _HEAD + length], crc32(page[:16])) & 0xFFFFFFFF:
                    break
            pos += 16
        self._segment = segment[ID]
        self._pos = pos
        self.size = (_HEAD + length + 15) & ~15
        self.number = low | high << 32
        self._at = _HEAD
        self.loaded = count
        self.page_boot = boot
        return pos

    def seek(self, number: int) -> "tuple[int, memoryview] | None":
        """(number, body) of the first record held at or above `number`. The body is valid until the next call here."""
        for segment in self.segments:
            if segment[LAST] < number:
                continue
            pos = 0
            if segment[ID] == self._segment and number >= self.number:
                pos = self._pos
                if self.loaded:
                    found = self._walk(number)
                    if found:
                        return found
                    pos += self.size
            pos = self.load(segment, pos)
            while pos >= 0:
                found = self._walk(number)
                if found:
                    return found
                pos = self.load(segment, pos + self.size)
        return None

    def _walk(self, number: int) -> "tuple[int, memoryview] | None":
        """Step on inside the page buffer."""
        page = self._page
        while self.loaded:
            at = self._at + 2
            size = page[at - 2] | page[at - 1] << 8
            if self.number >= number:
                return self.number, page[at : at + size]
            self.number += 1
            self._at = at + size
            self.loaded -= 1
        return None

    def append(self, ring: "Ring") -> int:
        """Write the oldest bodies of the ring as one page; the last number written. OSError when flash refuses."""
        page = self._page
        self.loaded = 0
        pos = _HEAD
        number = ring.first
        while number <= ring.last:
            body = ring.get(number)
            size = len(body)
            if pos + 2 + size > PAGE:
                break
            page[pos] = size & 255
            page[pos + 1] = size >> 8
            page[pos + 2 : pos + 2 + size] = body
            pos += 2 + size
            number += 1
        first = ring.first
        pack_into(_LAYOUT, page, 0, _MAGIC, pos - _HEAD, first & 0xFFFFFFFF, first >> 32, number - first, self.boot)
        pack_into("<I", page, 16, crc32(page[_HEAD:pos], crc32(page[:16])) & 0xFFFFFFFF)
        while pos & 15:
            page[pos] = 0
            pos += 1
        self._write(pos, first, number - 1)
        return number - 1

    def _write(self, size: int, first: int, last: int) -> None:
        fresh = not self.segments or self.segments[-1][SIZE] + size > max(self._limit >> 4, 4 * PAGE)
        if fresh:
            segment = [self.id + 1, first, last, 0]
            segment[SIZE] = self.files.size(self.name(segment))
        else:
            segment = self.segments[-1]
        name = self.name(segment)
        try:
            if segment[SIZE] & 15:  # behind a torn page
                self.files.append(name, bytes(16 - (segment[SIZE] & 15)))
            self.files.append(name, self._page[:size])
        finally:
            segment[SIZE] = self.files.size(name)
        if fresh:
            self.id += 1
            self.segments.append(segment)
        segment[FIRST] = segment[FIRST] or first
        segment[LAST] = self.last = last

    def full(self) -> bool:
        """Whether a further page would exceed the limit."""
        total = PAGE
        for segment in self.segments:
            total += max(segment[SIZE], 4 * PAGE)  # a file takes whole flash blocks
        return total > self._limit

    def done(self, number: int) -> bool:
        """Whether `release(number)` would delete anything."""
        return bool(self.segments) and self.segments[0][LAST] <= number

    def release(self, number: int) -> None:
        """Delete the segments whose records are all at or below `number`."""
        while self.done(number):
            self.files.remove(self.name(self.segments.pop(0)))
