"""DS18B20: temperature on a 1-Wire bus, with its own supply or parasite power.

Convert T (44) takes 750 ms at 12 bits. With a supply all sensors of the bus convert together, and those that are read
within two seconds use that conversion. A parasite-powered one takes its current from the data line, which is driven
high meanwhile, so the bus (and only it) has to wait. Scratchpad (BE): temperature in 1/16 °C, ..., CRC-8 (8C,
reflected).

85 °C (0550) is what the scratchpad holds after power-on: without a reading near it before, the conversion failed.

Source: DS18B20 data sheet (Maxim 19-7487, rev. 6), table 1, figures 7 and 8, "Powering the DS18B20", CRC generation.
"""

from shutan_meters.errors import FrameError
from shutan_node.drivers.driver import Driver, Options
from shutan_wire.quality import SENSOR_FAULT

TYPE_CHECKING = False  # type checkers read this name as true, both runtimes as false
if TYPE_CHECKING:
    from typing import Any

    from shutan_node.shapes import DriverOptions

_SKIP_ROM = b"\xcc"
_MATCH_ROM = b"\x55"
_CONVERT = b"\x44"
_READ_SCRATCHPAD = b"\xbe"
_READ_POWER = b"\xb4"
_CONVERT_MS = 750
_SHARED_MS = 2000
_POWER_ON = 0x0550
_NEAR = 16 * 10  # 10 K
_FAMILY = 0x28


def crc8(data: "bytes | bytearray | memoryview") -> int:
    """CRC-8 of 1-Wire: x8 + x5 + x4 + 1, low bit first, first value 0."""
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ 0x8C if crc & 1 else crc >> 1
    return crc


class Ds18b20(Driver):
    """address: the 16 hex digits of its ROM, family 28 first; 0 = the only one of its bus. options: metric."""

    BUS = "onewire"

    def __init__(self, name: str, address: "str | int", options: "DriverOptions") -> None:
        given = Options(options)
        metric = given.metric("metric", "temperature_c", "gauge")
        self._select = _SKIP_ROM
        if address not in {0, "0"}:
            try:
                rom = bytes.fromhex(str(address))
            except ValueError:
                rom = b""
            if len(rom) != 8 or rom[0] != _FAMILY or crc8(rom):
                given.mistakes.append("address: 16 hex digits of a ROM with family 28 and a right CRC wanted")
            self._select = _MATCH_ROM + rom
        given.done()
        super().__init__(name, (metric,))
        self._parasite = False
        self._last: int | None = None

    async def begin(self, bus: "Any") -> None:
        """Ask how it is powered."""
        bus.reset()
        bus.write(self._select + _READ_POWER)
        self._parasite = bus.read(1)[0] != 0xFF

    async def measure(self, bus: "Any") -> None:
        """Read it."""
        await self._convert(bus)
        bus.reset()
        bus.write(self._select + _READ_SCRATCHPAD)
        data = bus.read(9)
        if crc8(data) or not any(data):  # a line that is held low reads as zeros, whose CRC is right
            raise FrameError("1-wire", "scratchpad " + bytes(data).hex())
        raw = data[0] | data[1] << 8
        if raw & 0x8000:
            raw -= 0x10000
        if raw == _POWER_ON and (self._last is None or abs(self._last - raw) > _NEAR):
            self.poor(0, SENSOR_FAULT)
            return
        self._last = raw
        self.put(0, raw / 16, -55, 125)

    async def _convert(self, bus: "Any") -> None:
        since_ms = bus.now_ms() - bus.converted_ms
        if not self._parasite and _CONVERT_MS <= since_ms < _SHARED_MS:
            return
        bus.reset()
        bus.write((self._select if self._parasite else _SKIP_ROM) + _CONVERT)
        if self._parasite:
            bus.power(True)
        else:
            bus.converted_ms = bus.now_ms()
        try:
            await bus.sleep_ms(_CONVERT_MS)
        finally:
            if self._parasite:
                bus.power(False)


DRIVER = Ds18b20
