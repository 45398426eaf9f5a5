"""Counters that are made on the node (pulses, energy registers that clear on read) and survive its restarts.

| where      | when                               | survives             | may miss after it                     |
|------------|------------------------------------|----------------------|---------------------------------------|
| RTC memory | each `keep`                        | warm reset, watchdog | what came since the last reading      |
| flash      | every `FLASH_S`, two files in turn | power cut            | what came since the last such writing |

`uncertain` is true for the first reading after a start that may have missed something: it is marked, and the counter
goes on from the newest whole copy. A number never goes backwards: a copy is used only when its CRC holds, and of
several the one with the highest sequence.

| bytes | copy, little-endian                    |
|-------|----------------------------------------|
| 4     | CRC-32 of the name                     |
| 1     | n, count of numbers                    |
| 1     | 0                                      |
| 4     | sequence                               |
| 8 n   | the numbers, unsigned                  |
| 4     | CRC-32 of all before                   |
"""

import os
from binascii import crc32  # pyright: ignore[reportUnknownVariableType] - its stub gives `data` no type
from struct import pack_into, unpack_from  # pyright: ignore[reportUnknownVariableType] - its stub names `array` without a type

TYPE_CHECKING = False  # type checkers read this name as true, both runtimes as false
if TYPE_CHECKING:
    from collections.abc import Callable

    from shutan_node.shapes import Memory


FOLDER = "totals"
FLASH_S = 300
_HEAD = "<IBBI"
_HEAD_SIZE = 10
_MASK = 0xFFFFFFFF


def _crc(data: "bytes | bytearray | memoryview") -> int:
    return crc32(data) & _MASK


class Totals:
    """Numbers of one device, in `numbers`; change them in place, then `keep`.

    memory: the RTC's, shared by all devices of a node. now_ms: process time. failures: writes that flash refused.
    """

    def __init__(
        self, name: str, count: int, memory: "Memory", now_ms: "Callable[[], int]", folder: str = FOLDER
    ) -> None:
        self._name = name
        self._tag = _crc(name.encode())
        self._memory = memory
        self._now_ms = now_ms
        self._folder = folder
        self._copy = bytearray(_HEAD_SIZE + 8 * count + 4)
        self._sequence = 0
        self._flash_ms: int | None = None
        self.numbers = [0] * count
        self.failures = 0
        self.uncertain = self._load()

    def _load(self) -> bool:
        """Take the newest whole copy; whether something may be missing behind it."""
        best = b""
        for suffix in ("a", "b"):
            found = self._read(suffix)
            if self._whole(found) and (not best or self._sequence_of(found) > self._sequence_of(best)):
                best = found
        flashed = bool(best)
        place, kept = self._place()
        warm = False
        if place >= 0:
            found = kept[place : place + len(self._copy)]
            if self._whole(found) and (not best or self._sequence_of(found) >= self._sequence_of(best)):
                best = found
                warm = True
        if best:
            self._sequence = self._sequence_of(best)
            self.numbers = [unpack_from("<Q", best, _HEAD_SIZE + 8 * i)[0] for i in range(len(self.numbers))]
        return flashed and not warm

    def _path(self, suffix: str) -> str:
        return self._folder + "/" + self._name + "." + suffix

    def _read(self, suffix: str) -> bytes:
        """One of the two files; empty if it is not there."""
        try:
            with open(self._path(suffix), "rb") as file:  # pyright: ignore[reportUnknownVariableType] - its stub knows no type of file
                return bytes(file.read())  # pyright: ignore[reportUnknownArgumentType] - as above
        except OSError:
            return b""

    def _whole(self, copy: "bytes | bytearray | memoryview") -> bool:
        if len(copy) != len(self._copy):
            return False
        tag, count, _, _ = unpack_from(_HEAD, copy, 0)
        end = len(copy) - 4
        return tag == self._tag and count == len(self.numbers) and unpack_from("<I", copy, end)[0] == _crc(copy[:end])

    @staticmethod
    def _sequence_of(copy: "bytes | bytearray | memoryview") -> int:
        return int(unpack_from(_HEAD, copy, 0)[3])

    def _place(self) -> "tuple[int, bytes]":
        """Where this device's copy lies in the RTC's memory, -1 = nowhere yet; and that memory."""
        kept = self._memory() or b""
        at = 0
        while at + _HEAD_SIZE <= len(kept):
            tag, count, _, _ = unpack_from(_HEAD, kept, at)
            if tag == self._tag and count == len(self.numbers):
                return at, kept
            at += _HEAD_SIZE + 8 * count + 4
        return -1, kept

    def keep(self) -> None:
        """Write the numbers to the RTC's memory, and to flash when it is time; what flash refuses is tried again."""
        self._sequence += 1
        copy = self._copy
        pack_into(_HEAD, copy, 0, self._tag, len(self.numbers), 0, self._sequence & _MASK)
        for i in range(len(self.numbers)):
            pack_into("<Q", copy, _HEAD_SIZE + 8 * i, self.numbers[i])
        pack_into("<I", copy, len(copy) - 4, _crc(memoryview(copy)[: len(copy) - 4]))
        place, kept = self._place()
        if place < 0:
            self._memory(bytes(kept) + bytes(copy))
        else:
            self._memory(kept[:place] + bytes(copy) + kept[place + len(copy) :])
        self.uncertain = False
        now = self._now_ms()
        if self._flash_ms is None or now - self._flash_ms >= 1000 * FLASH_S:
            try:
                self._flash()
                self._flash_ms = now
            except OSError:
                self.failures += 1

    def _flash(self) -> None:
        """Write the older of the two files: a cut in the middle leaves the other."""
        path = self._path("b" if self._older_is_b() else "a")
        try:  # noqa: SIM105 - MicroPython has no contextlib
            os.mkdir(self._folder)
        except OSError:  # it is there
            pass
        with open(path, "wb") as file:  # pyright: ignore[reportUnknownVariableType] - its stub knows no type of file
            file.write(self._copy)

    def _older_is_b(self) -> bool:
        found = [self._read(suffix) for suffix in ("a", "b")]
        ages = [self._sequence_of(copy) if self._whole(copy) else -1 for copy in found]
        return ages[1] < ages[0]


def of(name: str, count: int) -> Totals:
    """Totals of a device on this board."""
    import machine

    from shutan_node import hal

    return Totals(name, count, machine.RTC().memory, hal.uptime_ms)
