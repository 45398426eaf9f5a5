"""SCD30: carbon dioxide, temperature and relative humidity, as three floats of two words each.

At most 50 kHz on the bus; the sensor stretches the clock up to 30 ms, once a day up to 150 ms. The measuring interval,
altitude and self-calibration stay in its memory, so they are written only where they differ: that memory wears out.

Source: SCD30 interface description (version 1.0, May 2020), 1.1, 1.4.1 to 1.4.9.
"""

from struct import pack, unpack  # pyright: ignore[reportUnknownVariableType] - its stub names `array` without a type

from shutan_meters.errors import FrameError
from shutan_node.drivers.driver import Driver, Options, i2c_address
from shutan_node.drivers.sensirion import ask, command

TYPE_CHECKING = False  # type checkers read this name as true, both runtimes as false
if TYPE_CHECKING:
    from typing import Any

    from shutan_node.shapes import DriverOptions

_START = 0x0010
_READY = 0x0202
_READ = 0x0300
_INTERVAL = 0x4600
_SELF_CALIBRATION = 0x5306
_ALTITUDE = 0x5102
_FIRMWARE = 0xD100
_COMMAND_MS = 4  # between a command and its answer at least 3 ms
_LATE_INTERVALS = 5


class Scd30(Driver):
    """options: measure_s (2 to 1800); altitude_m (0 to 3000); self_calibration (true or false)."""

    BUS = "i2c"

    def __init__(self, name: str, address: "str | int", options: "DriverOptions") -> None:
        given = Options(options)
        self._address = i2c_address(address, (0x61,), given.mistakes)
        self._measure_s = given.number("measure_s", 2, 2, 1800)
        altitude_m = given.number("altitude_m", 0, 0, 3000)
        self_calibration = 1 if given.choice("self_calibration", False, (False, True)) else 0
        given.done()
        super().__init__(name, ("co2_ppm", "temperature_c", "relative_humidity_pct"))
        self._settings = (
            (_INTERVAL, self._measure_s), (_ALTITUDE, altitude_m), (_SELF_CALIBRATION, self_calibration)
        )  # fmt: skip
        self._fresh_ms = 0

    async def begin(self, bus: "Any") -> None:
        """Find it and set it up."""
        await ask(bus, self._address, _FIRMWARE, 1, _COMMAND_MS)
        for code, wanted in self._settings:
            if (await ask(bus, self._address, code, 1, _COMMAND_MS))[0] != wanted:
                bus.write(self._address, command(code, wanted))
                await bus.sleep_ms(_COMMAND_MS)
        bus.write(self._address, command(_START, 0))  # 0: no air pressure given, the altitude counts
        await bus.sleep_ms(_COMMAND_MS)
        self._fresh_ms = bus.now_ms()

    async def measure(self, bus: "Any") -> None:
        """Read it."""
        if (await ask(bus, self._address, _READY, 1, _COMMAND_MS))[0] != 1:
            if bus.now_ms() - self._fresh_ms > _LATE_INTERVALS * 1000 * self._measure_s:
                raise FrameError("i2c 0x%02x" % self._address, "no measurement for %d intervals" % _LATE_INTERVALS)
            return
        found = await ask(bus, self._address, _READ, 6, _COMMAND_MS)
        self._fresh_ms = bus.now_ms()
        co2, temperature, humidity = unpack(">fff", pack(">6H", *found))
        self.put(0, co2, 1, 40000)
        self.put(1, temperature, -40, 70)
        self.put(2, humidity, 0, 100)


DRIVER = Scd30
