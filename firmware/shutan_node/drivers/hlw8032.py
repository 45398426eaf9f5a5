"""HLW8032: single-phase metering, 24 bytes every 50 ms on a UART at 4800 8E1; it cannot be asked, only heard.

| byte  | content                                                                                                    |
|-------|------------------------------------------------------------------------------------------------------------|
| 0     | state: 55 good; AA not calibrated; Fx: bit 3 voltage, 2 current, 1 power too small to be measured           |
| 1     | 5A                                                                                                         |
| 2-4   | voltage parameter (high byte first, as all that follow), 5-7 voltage register                              |
| 8-10  | current parameter, 11-13 register; 14-16 power parameter, 17-19 register                                   |
| 20    | bit 7 turns over each time that the pulse counter does                                                     |
| 21-22 | pulse counter                                                                                              |
| 23    | sum of bytes 2 to 22                                                                                       |

U = parameter / register × volt_factor, I with amp_factor, P with both. Energy of a pulse: power parameter × volt_factor
× amp_factor / 3.6e9 Wh; summed in integers and kept by `totals`. The counter goes round (2^17 with bit 7) after some
minutes at full load: read it every minute at least.

Source: Hiliwi HLW8032 data sheet (rev. 1.5), "Serial data", "Energy"; captures in tests/vectors/sensors.jsonl. The
chip's ground is at mains potential: isolate the UART.
"""

from shutan_node.drivers.driver import Driver, Options
from shutan_node.drivers.frames import Finder, total
from shutan_wire.quality import GOOD, RANGE, SENSOR_FAULT, UNCERTAIN

TYPE_CHECKING = False  # type checkers read this name as true, both runtimes as false
if TYPE_CHECKING:
    from typing import Any

    from shutan_node.shapes import DriverOptions

_LISTEN_MS = 300
_WRAP = 1 << 17
_NOT_CALIBRATED = 0xAA
_VOLTAGE_SMALL = 0x08
_CURRENT_SMALL = 0x04
_POWER_SMALL = 0x02


def _proves(buffer: "bytes | bytearray", at: int) -> bool:
    state = buffer[at]
    if buffer[at + 1] != 0x5A or (state not in (0x55, _NOT_CALIBRATED) and state < 0xF0):
        return False
    return total(buffer, at + 2, at + 23) == buffer[at + 23]


class Hlw8032(Driver):
    """options: volt_factor (default 1.88: 4 × 470 k over 1 k), amp_factor (default 1.0: 1 mΩ)."""

    BUS = "serial"

    def __init__(self, name: str, address: "str | int", options: "DriverOptions") -> None:
        given = Options(options)
        if address not in {0, "0"}:
            given.mistakes.append("address: none wanted, one chip a UART")
        self._volt = given.number("volt_factor", 1.88, 0.01, 1000)
        self._ampere = given.number("amp_factor", 1.0, 0.001, 10000)
        given.done()
        super().__init__(name, ("voltage_l1_v", "current_l1_a", "active_power_w", "active_energy_import_wh"))
        self._factor_ppm = round(self._volt * 1000) * round(self._ampere * 1000)
        self._totals: Any = None

    async def begin(self, bus: "Any") -> None:
        """Get the energy that is kept."""
        if self._totals is None:
            self._totals = bus.totals(self.name, 2)

    async def measure(self, bus: "Any") -> None:
        """Listen to one frame."""
        frame = await Finder(24, _proves).exchange(bus, b"", _LISTEN_MS)
        state = frame[0]
        if state == _NOT_CALIBRATED:
            for item in range(4):
                self.poor(item, SENSOR_FAULT)
            return
        small = state & 0x0F if state >= 0xF0 else 0
        if small & _VOLTAGE_SMALL:
            self.poor(0, RANGE)
        else:
            self.put(0, _ratio(frame, 2) * self._volt, 0, 1000)
        self.put(1, 0.0 if small & _CURRENT_SMALL else _ratio(frame, 8) * self._ampere, 0, 10000)
        self.put(2, 0.0 if small & _POWER_SMALL else _ratio(frame, 14) * self._volt * self._ampere, 0, 1e6)
        self._energy((frame[20] & 0x80) << 9 | frame[21] << 8 | frame[22], _u24(frame, 14))

    def _energy(self, raw: int, parameter: int) -> None:
        """Add the pulses since the last reading. After a power cut, which is the chip's too, it began at 0."""
        totals = self._totals
        quality = UNCERTAIN if totals.uncertain else GOOD
        totals.numbers[0] += raw if totals.uncertain else (raw - totals.numbers[1]) % _WRAP
        totals.numbers[1] = raw
        totals.keep()
        self.values[3] = totals.numbers[0] * parameter * self._factor_ppm // 3600000000000000
        self.qualities[3] = quality


def _u24(frame: bytes, at: int) -> int:
    return frame[at] << 16 | frame[at + 1] << 8 | frame[at + 2]


def _ratio(frame: bytes, at: int) -> float:
    """Parameter over register; NaN (so no value) for a register of 0."""
    register = _u24(frame, at + 3)
    return _u24(frame, at) / register if register else float("nan")


DRIVER = Hlw8032
