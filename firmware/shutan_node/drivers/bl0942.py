"""BL0942: single-phase metering on a UART, up to four chips on one (address 0 to 3).

Request 58 | address, AA; answer 55, then low byte first: current u24, voltage u24, fast current u24, power s24, energy
pulses u24, frequency u16, 0, status, 0, 0; last the inverted sum of request and answer.

U = raw / volt_ref, I = raw / amp_ref, P = raw / watt_ref, f = 1 000 000 / raw. volt_ref and amp_ref follow from the
divider and the shunt (73989 × mV at the pin / 1.218, 305978 × mV / 1.218), watt_ref from both: volt_ref × amp_ref ×
3537 / (73989 × 305978). The chip gives a pulse every 419430.4 / raw power seconds.

The pulse counter is 24 bits wide and wraps, and begins at 0 when the chip loses power; the sum is kept by `totals`.
Energy = pulses × 419430.4 / (watt_ref × 3600) Wh, in integers.

Source: Shanghai Belling BL0942 data sheet (V1.1), registers 01 to 09, "Calculation", "UART"; captures in
tests/vectors/sensors.jsonl. Neutral or phase is the chip's ground: isolate the UART.
"""

from shutan_node.drivers.driver import Driver, Options
from shutan_node.drivers.frames import Finder, total
from shutan_wire.quality import GOOD, UNCERTAIN

TYPE_CHECKING = False  # type checkers read this name as true, both runtimes as false
if TYPE_CHECKING:
    from typing import Any

    from shutan_node.shapes import DriverOptions

_TIMEOUT_MS = 150  # 23 characters take 52 ms at 4800 baud
_WRAP = 1 << 24
_NEAR = 1 << 20


class Bl0942(Driver):
    """options: volt_ref, amp_ref (raw per V and A), watt_ref (0 = from both)."""

    BUS = "serial"

    def __init__(self, name: str, address: "str | int", options: "DriverOptions") -> None:
        given = Options(options)
        self._request = 0x58
        if isinstance(address, int) and 0 <= address <= 3:
            self._request |= address
        else:
            given.mistakes.append("address: 0 to 3 wanted")
        self._volt = given.number("volt_ref", 15873.36, 1, 1e9)
        self._ampere = given.number("amp_ref", 251213.46, 1, 1e9)
        watt = given.number("watt_ref", 0.0, 0, 1e6)
        given.done()
        super().__init__(
            name, ("voltage_l1_v", "current_l1_a", "active_power_w", "active_energy_import_wh", "frequency_hz")
        )
        self._watt = watt or self._volt / 73989 * self._ampere / 305978 * 3537
        self._watt_milli = round(1000 * self._watt)
        self._totals: Any = None

    def _proves(self, buffer: "bytes | bytearray", at: int) -> bool:
        return buffer[at] == 0x55 and (self._request + total(buffer, at, at + 23)) & 0xFF == (
            0xFF  # the last byte is the inverse of the sum before it
        )

    async def begin(self, bus: "Any") -> None:
        """Get the energy that is kept."""
        if self._totals is None:
            self._totals = bus.totals(self.name, 2)

    async def measure(self, bus: "Any") -> None:
        """Read it."""
        request = bytes((self._request, 0xAA))
        frame = await Finder(23, self._proves).exchange(bus, request, _TIMEOUT_MS)
        self.put(0, _u24(frame, 4) / self._volt, 0, 1000)
        self.put(1, _u24(frame, 1) / self._ampere, 0, 10000)
        power = _u24(frame, 10)
        self.put(2, (power - _WRAP if power & 0x800000 else power) / self._watt, -1e6, 1e6)
        period = frame[16] | frame[17] << 8
        self.put(4, 1000000 / period if period else 0.0, 40, 70)
        self._energy(_u24(frame, 13))

    def _energy(self, raw: int) -> None:
        """Add the pulses since the last reading, which may have been before a restart of the node or the chip."""
        totals = self._totals
        before = totals.numbers[1]
        quality = UNCERTAIN if totals.uncertain else GOOD
        step = raw - before
        if step < 0:
            if before > _WRAP - _NEAR and raw < _NEAR:
                step += _WRAP
            else:  # the chip began again: what it had counted after the last reading is lost
                step = raw
                quality = UNCERTAIN
        totals.numbers[0] += step
        totals.numbers[1] = raw
        totals.keep()
        self.values[3] = totals.numbers[0] * 4194304 // (self._watt_milli * 36)
        self.qualities[3] = quality


def _u24(frame: bytes, at: int) -> int:
    return frame[at] | frame[at + 1] << 8 | frame[at + 2] << 16


DRIVER = Bl0942
