"""A bench for drivers, on every runtime: buses as `board` has them, chips at their ends, time that only waits move."""

import asyncio
import os

from shutan_meters.errors import NoAnswer
from shutan_node.totals import Totals

TYPE_CHECKING = False  # type checkers read this name as true, both runtimes as false
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from shutan_node.drivers.driver import Driver


class Bench:
    """Simulated time, and the part of a bus that all kinds share. waited_ms: sum of what drivers waited."""

    def __init__(self) -> None:
        self.time_ms = 1000
        self.waited_ms = 0
        self.rtc = Rtc()
        self.folder = (os.getenv("TMPDIR") or "/tmp") + "/shutan-bench-" + os.urandom(6).hex()  # noqa: S108 - a new one

    def totals(self, name: str, count: int) -> Totals:
        """Counters that survive restarts, in a folder of this bench's own."""
        return Totals(name, count, self.rtc, self.now_ms, self.folder)

    def power_cut(self) -> None:
        """The RTC forgets; flash stays."""
        self.rtc.kept = b""

    def clean(self) -> None:
        """Remove the files of this bench."""
        try:
            names = os.listdir(self.folder)  # noqa: PTH208 - MicroPython has no pathlib
        except OSError:  # nothing was written
            return
        for name in names:
            os.remove(self.folder + "/" + name)  # noqa: PTH107 - as above
        os.rmdir(self.folder)  # noqa: PTH106 - as above

    def now_ms(self) -> int:
        """Time of everything on this bench."""
        return self.time_ms

    async def sleep_ms(self, ms: int) -> None:
        """Let time pass."""
        assert 0 <= ms <= 1000, "a driver holds its bus for too long"
        self.time_ms += ms
        self.waited_ms += ms
        await asyncio.sleep(0)

    def read(self, driver: "Driver", bus: "Any") -> "list[tuple[int | float | None, int]]":
        """One reading: (value, quality) an item."""
        asyncio.run(driver.read(bus))
        return [(driver.values[item], driver.qualities[item]) for item in range(len(driver.values))]


class Rtc:
    """The RTC's memory."""

    def __init__(self) -> None:
        self.kept = b""

    def __call__(self, data: "bytes | None" = None) -> "bytes | None":
        """Without an argument the bytes, else keep these."""
        if data is None:
            return self.kept
        self.kept = bytes(data)
        return None


class Wires:
    """What every bus has."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.now_ms = bench.now_ms
        self.sleep_ms = bench.sleep_ms
        self.totals = bench.totals


class UartWires(Wires):
    """A UART with one sensor."""

    def __init__(self, bench: Bench, chip: "Any") -> None:
        super().__init__(bench)
        self.chip = chip

    async def transact(
        self, request: bytes, complete: "Callable[[bytes | bytearray], int]", timeout_ms: int
    ) -> bytearray:
        """As sampler.Bus: what came until a frame is complete, or the time is over."""
        if request:
            self.chip.receive(request)
        buffer = bytearray()
        end_ms = self.now_ms() + timeout_ms
        while self.now_ms() < end_ms:
            buffer += self.chip.send()
            if complete(buffer) > 0 or len(buffer) > 512:
                return buffer
            await self.sleep_ms(20)
        if not buffer:
            raise NoAnswer("bus", "silent")
        return buffer


class SpiWires(Wires):
    """An SPI bus. chips: by select pin; mode: the only one that they understand."""

    def __init__(self, bench: Bench, chips: "dict[int, Any]", modes: "tuple[int, ...]") -> None:
        super().__init__(bench)
        self.chips = chips
        self._modes = modes

    def transfer(self, select: int, out: "bytes | bytearray", hz: int, mode: int) -> bytearray:
        """Exchange bytes; a line without a chip floats high."""
        assert mode in self._modes
        assert hz <= 5000000
        if select not in self.chips:
            return bytearray(b"\xff" * len(out))
        return bytearray(self.chips[select].transfer(bytes(out)))


class OneWireWires(Wires):
    """A 1-Wire bus."""

    def __init__(self, bench: Bench, line: "Any") -> None:
        super().__init__(bench)
        self.line = line
        self.converted_ms = -60000
        self.power = line.power

    def reset(self) -> None:
        """NoAnswer when nobody is there."""
        if not self.line.reset():
            raise NoAnswer("1-wire", "nobody")

    def write(self, data: bytes) -> None:
        """Send bytes."""
        for byte in data:
            self.line.write_byte(byte)

    def read(self, count: int) -> bytearray:
        """Receive bytes."""
        return bytearray([self.line.read_byte() for _ in range(count)])


class I2cWires(Wires):
    """An I2C bus. chips: by address."""

    def __init__(self, bench: Bench, chips: "dict[int, Any]") -> None:
        super().__init__(bench)
        self.chips = chips

    def write(self, address: int, data: bytes) -> None:
        """Write, or NoAnswer."""
        try:
            self._chip(address).write(data)
        except OSError:
            raise NoAnswer("i2c", "silent") from None

    def read(self, address: int, count: int) -> bytes:
        """Read, or NoAnswer."""
        try:
            return self._chip(address).read(count)
        except OSError:
            raise NoAnswer("i2c", "silent") from None

    def _chip(self, address: int) -> "Any":
        if address not in self.chips:
            raise NoAnswer("i2c", "nobody")
        return self.chips[address]


def near(found: "tuple[Any, int]", value: float, quality: int, tolerance: float) -> None:
    """Assert that an item has this quality and about this value."""
    assert found[1] == quality, found
    assert found[0] is not None
    assert abs(found[0] - value) <= tolerance, (found[0], value)
