"""A bench for drivers, on every runtime: buses as `board` has them, chips at their ends, time that only waits move."""

import asyncio

from shutan_meters.errors import NoAnswer

TYPE_CHECKING = False  # type checkers read this name as true, both runtimes as false
if TYPE_CHECKING:
    from typing import Any

    from shutan_node.drivers.driver import Driver


class Bench:
    """Simulated time, and the part of a bus that all kinds share. waited_ms: sum of what drivers waited."""

    def __init__(self) -> None:
        self.time_ms = 1000
        self.waited_ms = 0

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


class I2cWires:
    """An I2C bus. chips: by address."""

    def __init__(self, bench: Bench, chips: "dict[int, Any]") -> None:
        self.chips = chips
        self.now_ms = bench.now_ms
        self.sleep_ms = bench.sleep_ms

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
