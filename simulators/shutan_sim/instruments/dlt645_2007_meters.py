"""DL/T 645-2007 meters written by hand from the standard's tables, for what the library `dlt645` does not play.

Block reads (FF), follow-up frames, daily freezes and the broadcast of time. It shares no line with the drivers: frames
are put together here byte by byte.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from typing import NamedTuple

from shutan_sim.instruments.dlt645_1997_meters import answer
from shutan_sim.instruments.shared_line import meant, overlaid

_READ, _FOLLOW_UP, _READ_ADDRESS, _TIME = 0x11, 0x12, 0x13, 0x08
_ANSWER, _MORE, _ERROR = 0x80, 0x20, 0xC0
_NO_SUCH_DATA = b"\x02"
_BROADCAST = b"\x99" * 6
_FOLLOWS = timedelta(minutes=5)
_BUFFER = 256


class _Item(NamedTuple):
    """metric, bytes of packed BCD, decimals, catalogue units in one displayed unit, whether the top bit is the sign."""

    metric: str
    size: int
    decimals: int
    unit: int = 1
    signed: bool = False


def _members(first: int, step: int, *items: _Item) -> dict[int, _Item]:
    return {first + step * number: item for number, item in enumerate(items)}


# Annex A, tables A.1 (energies), A.3 (variables); DI3 DI2 DI1 DI0.
ITEMS: dict[int, _Item] = {
    **_members(
        0x00010000, 0x100, _Item("active_energy_import_wh", 4, 2, 1000),
        *(_Item(f"active_energy_import_t{tariff}_wh", 4, 2, 1000) for tariff in (1, 2, 3, 4)),
    ),
    0x00020000: _Item("active_energy_export_wh", 4, 2, 1000),
    0x00030000: _Item("reactive_energy_import_varh", 4, 2, 1000, True),
    0x00040000: _Item("reactive_energy_export_varh", 4, 2, 1000, True),
    **_members(0x02010100, 0x100, *(_Item(f"voltage_l{phase}_v", 2, 1) for phase in (1, 2, 3))),
    **_members(0x02020100, 0x100, *(_Item(f"current_l{phase}_a", 3, 3, 1, True) for phase in (1, 2, 3))),
    **_members(
        0x02030000, 0x100, _Item("active_power_w", 3, 4, 1000, True),
        *(_Item(f"active_power_l{phase}_w", 3, 4, 1000, True) for phase in (1, 2, 3)),
    ),
    0x02040000: _Item("reactive_power_var", 3, 4, 1000, True),
    0x02050000: _Item("apparent_power_va", 3, 4, 1000, True),
    0x02060000: _Item("power_factor", 2, 3, 1, True),
    0x02800001: _Item("current_n_a", 3, 3, 1, True),
    0x02800002: _Item("frequency_hz", 2, 2),
    0x02800004: _Item("active_power_demand_w", 3, 4, 1000, True),
}  # fmt: skip
_FROZEN = {0x01: 0x0001FF00, 0x02: 0x0002FF00}  # block of a daily freeze: the present block that it keeps


def shown(item: _Item, value: Fraction) -> bytes:
    """Packed BCD, low byte first."""
    counts = round(abs(value) * 10**item.decimals / item.unit)
    data = bytearray(bytes.fromhex(f"{counts % 10 ** (2 * item.size):0{2 * item.size}d}")[::-1])
    if item.signed and value < 0:
        data[-1] |= 0x80
    return bytes(data)


@dataclass(slots=True)
class Meter2007:
    """One meter.

    address: 12 digits;  reading: value by catalogue name, days back (0: now), in the catalogue's unit
    clock:   its own, local time;  days: how many daily freezes it keeps, taken at midnight by its clock
    piece:   longest data behind the identifier in one frame, the rest follows
    """

    address: str
    reading: Callable[[str, int], Fraction]
    clock: datetime
    days: int = 62
    piece: int = 200
    set_on: object = None

    def data(self, di: int) -> bytes | None:
        """Data behind an identifier; None: no such data."""
        if di >> 16 == 0x0506:
            return self._frozen(di >> 8 & 0xFF, di & 0xFF)
        return self._present(di, 0)

    def _present(self, di: int, back: int) -> bytes | None:
        if di in ITEMS:
            return shown(ITEMS[di], self.reading(ITEMS[di].metric, back))
        members = [one for one in sorted(ITEMS) if one & 0xFFFF00FF == di & 0xFFFF00FF]
        if di >> 8 & 0xFF != 0xFF or not members:
            return None
        return b"".join(shown(ITEMS[one], self.reading(ITEMS[one].metric, back)) for one in members)

    def _frozen(self, what: int, back: int) -> bytes | None:
        if not 1 <= back <= self.days:
            return None
        if what == 0:
            taken = self.clock.replace(hour=0, minute=0) - timedelta(days=back - 1)
            return bytes.fromhex(taken.strftime("%M%H%d%m%y"))
        return self._present(_FROZEN[what], back) if what in _FROZEN else None

    def set_time(self, data: bytes) -> None:
        """Broadcast time: followed by up to 5 minutes, once a day."""
        told = datetime.strptime(data[::-1].hex(), "%y%m%d%H%M%S")  # noqa: DTZ007 - a meter knows no time zone
        if abs(told - self.clock) <= _FOLLOWS and self.set_on != self.clock.date():
            self.set_on = self.clock.date()
            self.clock = told


class Dlt645Meters2007:
    """All meters of one bus: reads are answered and the broadcast time is followed, nothing else changes a meter."""

    def __init__(self, meters: Sequence[Meter2007]) -> None:
        self._meters = tuple(meters)
        self._buffer = b""

    def forget(self) -> None:
        """Drop a half-received request."""
        self._buffer = b""

    def feed(self, data: bytes, t_ms: int) -> list[bytes]:
        """Received bytes in, answers out; several meters that are meant answer at once, into each other."""
        del t_ms
        self._buffer = (self._buffer + data)[-_BUFFER:]
        begin = self._buffer.find(b"\x68")
        if begin < 0 or len(self._buffer) < begin + 12 or len(self._buffer) < begin + 12 + self._buffer[begin + 9]:
            return []
        request, self._buffer = self._buffer[begin:], b""
        size = request[9]
        if request[7] != 0x68 or request[10 + size] != sum(request[: 10 + size]) % 256 or request[11 + size] != 0x16:
            return []
        plain = bytes((byte - 0x33) % 256 for byte in request[10 : 10 + size])
        if request[8] == _TIME and request[1:7] == _BROADCAST and size == 6:
            for meter in self._meters:
                meter.set_time(plain)
            return []
        wired = [meter for meter in self._meters if meant(request[1:7], bytes.fromhex(meter.address)[::-1])]
        answers = [_answered(meter, request[8], plain) for meter in wired]
        return overlaid([one for one in answers if one])


def _answered(meter: Meter2007, control: int, plain: bytes) -> bytes:
    if control == _READ_ADDRESS and not plain:
        return answer(meter.address, control | _ANSWER, bytes.fromhex(meter.address)[::-1])
    number = plain[4] if control == _FOLLOW_UP and len(plain) == 5 else 0
    if control not in {_READ, _FOLLOW_UP} or len(plain) != (5 if control == _FOLLOW_UP else 4):
        return b""
    data = meter.data(int.from_bytes(plain[:4], "little"))
    part = (data or b"")[meter.piece * number : meter.piece * (number + 1)]
    if data is None or not part or (control == _FOLLOW_UP and not number):
        return answer(meter.address, control | _ERROR, _NO_SUCH_DATA)
    more = _MORE if len(data) > meter.piece * (number + 1) else 0
    sequence = bytes([number]) if control == _FOLLOW_UP else b""
    return answer(meter.address, control | _ANSWER | more, plain[:4] + part + sequence)
