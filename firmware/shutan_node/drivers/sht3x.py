"""SHT3x (SHT30, SHT31, SHT35): air temperature and relative humidity.

Single shot, high repeatability, no clock stretching: command 2400, at most 15.5 ms, two words. Read at most once a
second, else the sensor warms itself. Status F32D: bit 13 heater on; a heater that is on spoils the temperature.

Source: SHT3x-DIS data sheet (version 5, May 2018), tables 4, 8, 17 and 18, conversion 4.13: the divisor is 2^16 − 1.
"""

from shutan_node.drivers.driver import Driver, Options, i2c_address
from shutan_node.drivers.sensirion import ask
from shutan_wire.quality import GOOD, WARMING_UP

TYPE_CHECKING = False  # type checkers read this name as true, both runtimes as false
if TYPE_CHECKING:
    from typing import Any

    from shutan_node.shapes import DriverOptions

_SINGLE_SHOT = 0x2400
_STATUS = 0xF32D
_STOP_HEATER = 0x3066
_HEATER_ON = 0x2000
_MEASURE_MS = 16


class Sht3x(Driver):
    """No options."""

    BUS = "i2c"

    def __init__(self, name: str, address: "str | int", options: "DriverOptions") -> None:
        given = Options(options)
        self._address = i2c_address(address, (0x44, 0x45), given.mistakes)
        given.done()
        super().__init__(name, ("temperature_c", "relative_humidity_pct"))
        self._heated = False

    async def begin(self, bus: "Any") -> None:
        """Find it and set it up."""
        status = (await ask(bus, self._address, _STATUS, 1, 1))[0]
        self._heated = status & _HEATER_ON != 0
        if self._heated:
            bus.write(self._address, bytes((_STOP_HEATER >> 8, _STOP_HEATER & 0xFF)))

    async def measure(self, bus: "Any") -> None:
        """Read it."""
        temperature, humidity = await ask(bus, self._address, _SINGLE_SHOT, 2, _MEASURE_MS)
        quality = WARMING_UP if self._heated else GOOD  # the reading right after the heater is not one of the air
        self._heated = False
        self.put(0, 175 * temperature / 65535 - 45, -40, 125, quality)
        self.put(1, 100 * humidity / 65535, 0, 100, quality)


DRIVER = Sht3x
