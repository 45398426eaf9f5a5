"""SCD40, SCD41, SCD43: carbon dioxide, temperature and relative humidity.

Periodic measurement (21B1) gives a value every 5 s; while it runs the sensor takes only E4B8 (ready), EC05 (read),
3F86 (stop, then 500 ms) and E000 (air pressure). So the set-up is: stop, altitude (2427), automatic self-calibration
(2416), start. A reading that is not ready yet is stale, never repeated.

Automatic self-calibration takes the lowest reading of a week for fresh air of 400 ppm: off unless the options say so,
since a hall that works around the clock never sees fresh air.

Source: SCD4x data sheet (version 1.1, April 2021), 3.4 to 3.11; worked examples in tests/vectors/sensors.jsonl.
"""

from shutan_meters.errors import FrameError
from shutan_node.drivers.driver import Driver, Options, i2c_address
from shutan_node.drivers.sensirion import ask, command

TYPE_CHECKING = False  # type checkers read this name as true, both runtimes as false
if TYPE_CHECKING:
    from typing import Any

    from shutan_node.shapes import DriverOptions

_STOP = 0x3F86
_START = 0x21B1
_READY = 0xE4B8
_READ = 0xEC05
_SERIAL = 0x3682
_ALTITUDE = 0x2427
_SELF_CALIBRATION = 0x2416
_STOP_MS = 500
_COMMAND_MS = 1
_LATE_MS = 15000  # three intervals of 5 s without a value: it is not measuring any more


class Scd4x(Driver):
    """options: altitude_m (0 to 3000); self_calibration (true or false)."""

    BUS = "i2c"

    def __init__(self, name: str, address: "str | int", options: "DriverOptions") -> None:
        given = Options(options)
        self._address = i2c_address(address, (0x62,), given.mistakes)
        self._altitude_m = given.number("altitude_m", 0, 0, 3000)
        self._self_calibration = given.choice("self_calibration", False, (False, True))
        given.done()
        super().__init__(name, ("co2_ppm", "temperature_c", "relative_humidity_pct"))
        self._fresh_ms = 0

    async def begin(self, bus: "Any") -> None:
        """Find it and set it up."""
        bus.write(self._address, command(_STOP))
        await bus.sleep_ms(_STOP_MS)
        await ask(bus, self._address, _SERIAL, 3, _COMMAND_MS)  # three words with CRCs: it is one of these
        bus.write(self._address, command(_ALTITUDE, self._altitude_m))
        await bus.sleep_ms(_COMMAND_MS)
        bus.write(self._address, command(_SELF_CALIBRATION, 1 if self._self_calibration else 0))
        await bus.sleep_ms(_COMMAND_MS)
        bus.write(self._address, command(_START))
        self._fresh_ms = bus.now_ms()

    async def measure(self, bus: "Any") -> None:
        """Read it."""
        ready = (await ask(bus, self._address, _READY, 1, _COMMAND_MS))[0]
        if not ready & 0x07FF:
            if bus.now_ms() - self._fresh_ms > _LATE_MS:
                raise FrameError("i2c 0x%02x" % self._address, "no measurement for 15 s")
            return
        co2, temperature, humidity = await ask(bus, self._address, _READ, 3, _COMMAND_MS)
        self._fresh_ms = bus.now_ms()
        self.put(0, float(co2), 1, 40000)  # 0 ppm: an invalid sample right after the start
        self.put(1, 175 * temperature / 65535 - 45, -10, 60)
        self.put(2, 100 * humidity / 65535, 0, 100)


DRIVER = Scd4x
