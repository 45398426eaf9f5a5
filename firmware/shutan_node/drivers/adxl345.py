"""ADXL345: vibration of one axis: velocity rms 10 to 1000 Hz, its strongest line, acceleration rms, zone of ISO 20816.

Full resolution at ±16 g (256 LSB/g), 3200 samples a second through the FIFO of 32, 1024 samples a window. The FIFO
fills in 10 ms: it is emptied every few milliseconds while other tasks run, and when one of them took too long the
chip says overrun; then the window is taken again, three times at most. A window with a sample at the end is out of
range.

Noise is about 1 mg rms: good for trends of unbalance, misalignment and looseness, poor for bearings.

Source: ADXL345 data sheet (rev. G), registers 00, 2C, 2D, 30, 31, 32 to 37, 38, 39; SPI mode 3, 2 to 5 MHz.
"""

from array import array
from math import sqrt

from shutan_meters.errors import FrameError, NoAnswer
from shutan_node.drivers import iso20816, spectrum
from shutan_node.drivers.driver import Driver, Options, select_pin
from shutan_wire.quality import GOOD, RANGE

TYPE_CHECKING = False  # type checkers read this name as true, both runtimes as false
if TYPE_CHECKING:
    from typing import Any

    from shutan_node.shapes import DriverOptions

_HZ = 5000000
_MODE = 3
_READ = 0x80
_MANY = 0x40
_DEVICE_ID = 0xE5
_RATE_3200 = 0x0F
_MEASURE = 0x08
_FULL_16_G = 0x0B
_STREAM = 0x80
_OVERRUN = 0x01
_WINDOW = 1024
_RATE_HZ = 3200
_LSB_M_S2 = 9.80665 / 256
_END = 4095
_TRIES = 3
_LOOKS = 400  # at the FIFO for one window, 3 ms apart: three times what it takes


class Adxl345(Driver):
    """address: its select pin. options: axis (x, y, z), group and support, or limits [A/B, B/C, C/D] in mm/s."""

    BUS = "spi"

    def __init__(self, name: str, address: "str | int", options: "DriverOptions") -> None:
        given = Options(options)
        self._select = select_pin(address, given.mistakes)
        self._axis = 2 * ("x", "y", "z").index(given.choice("axis", "z", ("x", "y", "z")))
        group = given.choice("group", 2, (1, 2))
        support = given.choice("support", "rigid", ("rigid", "flexible"))
        limits: Any = given.take("limits", iso20816.LIMITS_MM_S[(group, support)])
        odd = [one for one in limits if not isinstance(one, (int, float))]
        if len(limits) != 3 or odd or sorted(limits) != list(limits):
            given.mistakes.append("options.limits: three rising numbers in mm/s wanted")
        self._limits = tuple(limits)
        given.done()
        super().__init__(
            name,
            (
                "vibration_velocity_rms_mm_s", "vibration_velocity_peak_mm_s", "vibration_peak_hz",
                "vibration_acceleration_rms_m_s2", "vibration_zone",
            ),
        )  # fmt: skip

    def _write(self, bus: "Any", register: int, value: int) -> None:
        bus.transfer(self._select, bytes((register, value)), _HZ, _MODE)

    def _get(self, bus: "Any", register: int) -> int:
        return bus.transfer(self._select, bytes((_READ | register, 0)), _HZ, _MODE)[1]

    async def begin(self, bus: "Any") -> None:
        """Prove that it is one, and start it."""
        if self._get(bus, 0x00) != _DEVICE_ID:
            raise NoAnswer("spi", "no ADXL345 at select pin %d" % self._select)
        self._write(bus, 0x2D, 0)
        self._write(bus, 0x31, _FULL_16_G)
        self._write(bus, 0x2C, _RATE_3200)
        self._write(bus, 0x2D, _MEASURE)

    async def measure(self, bus: "Any") -> None:
        """One window and its figures."""
        if self._get(bus, 0x00) != _DEVICE_ID or self._get(bus, 0x2C) != _RATE_3200:
            raise NoAnswer("spi", "no ADXL345 at select pin %d" % self._select)
        samples = array("h", bytes(2 * _WINDOW))
        for left in range(_TRIES - 1, -1, -1):
            if await self._capture(bus, samples):
                break
            if not left:
                raise FrameError("spi", "the FIFO ran over %d times" % _TRIES)
        if max(samples) >= _END or min(samples) <= -_END:
            for item in range(5):
                self.poor(item, RANGE)
            return
        real = array("f", bytes(4 * _WINDOW))
        imaginary = array("f", bytes(4 * _WINDOW))
        square = spectrum.prepare(samples, real, imaginary)
        del samples
        await spectrum.transform(real, imaginary, bus.sleep_ms)
        rms, peak, hz = spectrum.velocity(real, imaginary, _RATE_HZ, 10, 1000)
        factor = 1000 * _LSB_M_S2
        self.put(0, rms * factor, 0, 1000)
        self.put(1, peak * factor, 0, 2000)
        self.put(2, hz, 0, 1600)
        self.put(3, sqrt(square) * _LSB_M_S2, 0, 160)
        self.values[4] = iso20816.zone(rms * factor, self._limits)
        self.qualities[4] = GOOD

    async def _capture(self, bus: "Any", samples: "array[int]") -> bool:
        """Fill the window; False when the chip lost samples on the way."""
        self._write(bus, 0x38, 0)  # bypass empties the FIFO
        self._write(bus, 0x38, _STREAM)
        self._get(bus, 0x30)
        request = bytes((_READ | _MANY | 0x32, 0, 0, 0, 0, 0, 0))
        count = 0
        for _ in range(_LOOKS):
            await bus.sleep_ms(3)
            waiting = self._get(bus, 0x39) & 0x3F
            if self._get(bus, 0x30) & _OVERRUN:
                return False
            for _ in range(min(waiting, _WINDOW - count)):
                data = bus.transfer(self._select, request, _HZ, _MODE)
                value = data[1 + self._axis] | data[2 + self._axis] << 8
                samples[count] = value - 0x10000 if value & 0x8000 else value
                count += 1
            if count == _WINDOW:
                return True
        raise FrameError("spi", "%d of %d samples came" % (count, _WINDOW))


DRIVER = Adxl345
