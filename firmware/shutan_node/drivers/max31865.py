"""MAX31865: platinum resistance thermometer (PT100, PT1000) in 2, 3 or 4 wires.

One shot a reading, so that the current warms the element only then: bias on, 10 ms, conversion (63 ms with the 50 Hz
filter), the registers 00 to 07 in one go, bias off. The thresholds lie just outside of −200 and 850 °C: a wire that
is broken or shorted sets the fault bit. R = code / 32768 × reference; temperature by Callendar and Van Dusen.

Sources: MAX31865 data sheet (19-6478, rev. 3), tables 1 to 7 and 9; IEC 60751: A 3.9083e-3, B −5.775e-7, C −4.183e-12.
"""

from math import sqrt

from shutan_meters.errors import NoAnswer
from shutan_node.drivers.driver import Driver, Options, select_pin
from shutan_wire.quality import SENSOR_FAULT

TYPE_CHECKING = False  # type checkers read this name as true, both runtimes as false
if TYPE_CHECKING:
    from typing import Any

    from shutan_node.shapes import DriverOptions

_HZ = 1000000
_MODE = 1
_WRITE = 0x80
_BIAS = 0x80
_ONE_SHOT = 0x20
_THREE_WIRES = 0x10
_CLEAR_FAULT = 0x02
_FILTER_50_HZ = 0x01
_BIAS_MS = 11
_CONVERSION_MS = 67  # single conversion with the 50 Hz filter: 62.5 ms typical, 66 ms at most
_A = 3.9083e-3
_B = -5.775e-7
_C = -4.183e-12
_LOW_RATIO = 0.18  # of -201 degrees
_HIGH_RATIO = 3.92  # of 855 degrees


class Max31865(Driver):
    """address: its select pin. options: metric, wires, reference_ohm, zero_ohm (100 or 1000), mains_hz."""

    BUS = "spi"

    def __init__(self, name: str, address: "str | int", options: "DriverOptions") -> None:
        given = Options(options)
        self._select = select_pin(address, given.mistakes)
        metric = given.metric("metric", "surface_temperature_c", "gauge")
        three = given.choice("wires", 4, (2, 3, 4)) == 3
        zero_ohm = given.choice("zero_ohm", 100, (100, 1000))
        reference_ohm = given.number("reference_ohm", 4.3 * zero_ohm, 200, 10000)
        filtered = given.choice("mains_hz", 50, (50, 60)) == 50
        given.done()
        super().__init__(name, (metric,))
        self._config = (_THREE_WIRES if three else 0) | (_FILTER_50_HZ if filtered else 0)
        self._ratio = reference_ohm / zero_ohm / 32768
        limits = [min(32767, int(ratio / self._ratio)) << 1 for ratio in (_HIGH_RATIO, _LOW_RATIO)]
        self._limits = bytes((limits[0] >> 8, limits[0] & 0xFF, limits[1] >> 8, limits[1] & 0xFF))

    def _write(self, bus: "Any", register: int, data: bytes) -> None:
        bus.transfer(self._select, bytes((_WRITE | register,)) + data, _HZ, _MODE)

    async def begin(self, bus: "Any") -> None:
        """Conversions off (the filter may change only then), thresholds, faults forgotten; and it must read back."""
        self._write(bus, 0, bytes((self._config | _CLEAR_FAULT,)))
        self._write(bus, 3, self._limits)
        found = bus.transfer(self._select, bytes(9), _HZ, _MODE)[1:]
        if found[0] & 0x11 != self._config or bytes(found[3:7]) != self._limits:
            raise NoAnswer("spi", "no MAX31865 at select pin %d" % self._select)

    async def measure(self, bus: "Any") -> None:
        """Read it."""
        self._write(bus, 0, bytes((self._config | _BIAS | _CLEAR_FAULT,)))
        await bus.sleep_ms(_BIAS_MS)
        self._write(bus, 0, bytes((self._config | _BIAS | _ONE_SHOT,)))
        await bus.sleep_ms(_CONVERSION_MS)
        found = bus.transfer(self._select, bytes(9), _HZ, _MODE)[1:]
        self._write(bus, 0, bytes((self._config,)))
        if found[0] & 0xD1 != self._config | _BIAS or bytes(found[3:7]) != self._limits:
            raise NoAnswer("spi", "no MAX31865 at select pin %d" % self._select)
        if found[2] & 1 or found[7] & 0xFC:
            self.poor(0, SENSOR_FAULT)
            return
        self.put(0, temperature_c((found[1] << 8 | found[2] & 0xFE) / 2 * self._ratio), -200.5, 850.5)


def temperature_c(ratio: float) -> float:
    """Temperature of a platinum element from R / R0 (IEC 60751)."""
    root = _A * _A - 4 * _B * (1 - ratio)
    if root < 0:
        return float("nan")
    found = (sqrt(root) - _A) / (2 * _B)
    if ratio < 1:  # below zero a term of the fourth degree comes in: three steps of Newton's method
        for _ in range(3):
            wrong = 1 + found * (_A + found * (_B + found * _C * (found - 100))) - ratio
            found -= wrong / (_A + found * (2 * _B + found * _C * (4 * found - 300)))
    return found


DRIVER = Max31865
