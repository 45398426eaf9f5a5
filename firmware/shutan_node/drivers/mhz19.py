"""MH-Z19B and MH-Z19C: carbon dioxide on a UART, 9600 8N1.

Request FF 01 86 00 00 00 00 00 79, answer FF 86 high low .. CS, where CS makes bytes 1 to 8 add up to 0. It warms up
for three minutes (C: one) and shows a constant value meanwhile: those readings are marked. Automatic baseline
correction (79 A0 on, 79 00 off) takes the lowest reading of a day for 400 ppm: off unless the options say so.

Source: Winsen MH-Z19B manual (version 1.6), "Protocol" and the worked example FF 86 02 60 47 00 00 00 D1 = 608 ppm.
"""

from shutan_meters.errors import NoAnswer
from shutan_node.drivers.driver import Driver, Options
from shutan_node.drivers.frames import Finder, total
from shutan_wire.quality import GOOD, WARMING_UP

TYPE_CHECKING = False  # type checkers read this name as true, both runtimes as false
if TYPE_CHECKING:
    from typing import Any

    from shutan_node.shapes import DriverOptions

_READ = b"\xff\x01\x86\x00\x00\x00\x00\x00\x79"
_BASELINE_OFF = b"\xff\x01\x79\x00\x00\x00\x00\x00\x86"
_BASELINE_ON = b"\xff\x01\x79\xa0\x00\x00\x00\x00\xe6"
_TIMEOUT_MS = 200


def _is_reading(buffer: "bytes | bytearray", at: int) -> bool:
    return buffer[at] == 0xFF and buffer[at + 1] == 0x86 and total(buffer, at + 1, at + 9) == 0


def _is_confirmation(buffer: "bytes | bytearray", at: int) -> bool:
    return buffer[at] == 0xFF and buffer[at + 1] == 0x79 and total(buffer, at + 1, at + 9) == 0


class Mhz19(Driver):
    """options: range_ppm (2000, 5000 or 10000, as bought), warm_up_s (default 180), self_calibration."""

    BUS = "serial"

    def __init__(self, name: str, address: "str | int", options: "DriverOptions") -> None:
        given = Options(options)
        if address not in {0, "0"}:
            given.mistakes.append("address: none wanted, one sensor a UART")
        self._range_ppm = given.choice("range_ppm", 5000, (2000, 5000, 10000))
        self._warm_up_ms = 1000 * given.number("warm_up_s", 180, 0, 600)
        self._self_calibration = given.choice("self_calibration", False, (False, True))
        given.done()
        super().__init__(name, ("co2_ppm",))
        self._since_ms: int | None = None  # when it was heard of first, or first after a silence

    async def begin(self, bus: "Any") -> None:
        """Set the baseline correction; not every version confirms it."""
        try:
            order = _BASELINE_ON if self._self_calibration else _BASELINE_OFF
            await bus.transact(order, Finder(9, _is_confirmation), _TIMEOUT_MS)
        except NoAnswer:
            return

    async def measure(self, bus: "Any") -> None:
        """Read it."""
        try:
            frame = await Finder(9, _is_reading).exchange(bus, _READ, _TIMEOUT_MS)
        except NoAnswer:
            self._since_ms = None
            raise
        if self._since_ms is None:
            self._since_ms = bus.now_ms()
        warm = bus.now_ms() - self._since_ms >= self._warm_up_ms
        self.put(0, float(frame[2] << 8 | frame[3]), 1, self._range_ppm, GOOD if warm else WARMING_UP)


DRIVER = Mhz19
