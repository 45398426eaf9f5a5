"""ADS1115: up to four 4–20 mA transmitters, each over a shunt to ground, with the fault limits of NAMUR NE 43.

| mA           | quality      | value                                                        |
|--------------|--------------|--------------------------------------------------------------|
| up to 3.6    | sensor fault | none (broken wire, transmitter in failure)                   |
| 3.6 to 3.8   | range        | none                                                         |
| 3.8 to 20.5  | good         | low + (mA − 4) / 16 × (high − low)                           |
| 20.5 to 21.0 | range        | none                                                         |
| from 21.0    | sensor fault | none (also when the converter itself is at its end of scale) |

Sources: ADS1115 data sheet (TI SBAS444), registers and configuration 8.6, output codes 8.5.4 (7FFF at and above full
scale); NAMUR NE 43 (2021-07): measuring range 3.8 to 20.5 mA, failure at or below 3.6 mA and at or above 21 mA.
"""

from shutan_meters.errors import FrameError
from shutan_node.drivers.driver import Driver, Options, i2c_address
from shutan_wire.quality import RANGE, SENSOR_FAULT

TYPE_CHECKING = False  # type checkers read this name as true, both runtimes as false
if TYPE_CHECKING:
    from typing import Any

    from shutan_node.shapes import DriverOptions

_CONVERSION = 0
_CONFIG = 1
_START = 0x8000  # written: begin one conversion; read: idle
_SINGLE = 0x0100
_RATE_128 = 0x0080
_NO_COMPARATOR = 0x0003
_FULL_SCALE_UV = (6144000, 4096000, 2048000, 1024000, 512000, 256000)
_CONVERSION_MS = 9  # 1/128 s and the 10 % by which the oscillator may be slow (electrical characteristics)
_POLLS = 3
_AT_END = 32767

FAULT_LOW_UA = 3600
FAULT_HIGH_UA = 21000
LOW_UA = 3800
HIGH_UA = 20500


class Ads1115(Driver):
    """options: shunt_ohm; channels: {"0": {"metric": .., "low": at 4 mA, "high": at 20 mA}, ..}."""

    BUS = "i2c"

    def __init__(self, name: str, address: "str | int", options: "DriverOptions") -> None:
        given = Options(options)
        self._address = i2c_address(address, (0x48, 0x49, 0x4A, 0x4B), given.mistakes)
        self._shunt_mohm = round(given.number("shunt_ohm", 150.0, 10, 240) * 1000)
        self._inputs: list[tuple[int, float, float]] = []
        metrics: list[str] = []
        channels: dict[str, Any] = given.take("channels", {})
        if not isinstance(channels, dict) or not channels:  # pyright: ignore[reportUnnecessaryIsInstance] - it comes from a file
            given.mistakes.append("options.channels: at least one of 0 to 3 wanted")
            channels = {}
        for channel in sorted(channels):
            where = "options.channels." + str(channel)
            inner = Options(channels[channel] if isinstance(channels[channel], dict) else {})
            if channel not in ("0", "1", "2", "3"):
                given.mistakes.append(where + ": 0, 1, 2 or 3 wanted")
                continue
            metrics.append(inner.metric("metric", None, "gauge"))
            low = inner.number("low", None, -1e9, 1e9)
            high = inner.number("high", None, -1e9, 1e9)
            self._inputs.append((int(channel), low, high))
            for key in inner.left():
                inner.mistakes.append("options." + key + ": unknown key")
            given.mistakes += [where + text[7:] for text in inner.mistakes]
        if len(set(metrics)) < len(metrics):
            given.mistakes.append("options.channels: a metric twice; make it two devices")
        given.done()
        super().__init__(name, metrics)
        # the smallest range that still shows 25 mA, so that 21 mA is told from the end of the scale
        self._gain = max([gain for gain in range(6) if _FULL_SCALE_UV[gain] >= 25 * self._shunt_mohm])

    async def measure(self, bus: "Any") -> None:
        """Read it."""
        for item in range(len(self._inputs)):
            channel, low, high = self._inputs[item]
            code = await self._convert(bus, channel)
            current_ua = microampere(code, _FULL_SCALE_UV[self._gain], self._shunt_mohm)
            if current_ua <= FAULT_LOW_UA or current_ua >= FAULT_HIGH_UA or code >= _AT_END:
                self.poor(item, SENSOR_FAULT)
            elif not LOW_UA <= current_ua <= HIGH_UA:
                self.poor(item, RANGE)
            else:
                self.put(item, low + (current_ua - 4000) * (high - low) / 16000, -1e9, 1e9)

    async def _convert(self, bus: "Any", channel: int) -> int:
        """One conversion of AINn against ground; its signed code."""
        config = _START | (4 + channel) << 12 | self._gain << 9 | _SINGLE | _RATE_128 | _NO_COMPARATOR
        bus.write(self._address, bytes((_CONFIG, config >> 8, config & 0xFF)))
        for _ in range(_POLLS):
            await bus.sleep_ms(_CONVERSION_MS)
            found = self._register(bus, _CONFIG)
            if (found ^ config) & 0x7FFF:  # somebody else's set-up: the chip lost power, or the bus its bits
                raise FrameError("i2c 0x%02x" % self._address, "configuration reads back as %04x" % found)
            if found & _START:
                code = self._register(bus, _CONVERSION)
                return code - 0x10000 if code & 0x8000 else code
        raise FrameError("i2c 0x%02x" % self._address, "conversion does not end")

    def _register(self, bus: "Any", register: int) -> int:
        bus.write(self._address, bytes((register,)))
        data = bus.read(self._address, 2)
        return data[0] << 8 | data[1]


def microampere(code: int, full_scale_uv: int, shunt_mohm: int) -> int:
    """Loop current in µA (rounded down) from a signed code; integers, since floats of a chip are single precision."""
    return code * full_scale_uv // 32768 * 1000 // shunt_mohm


DRIVER = Ads1115
