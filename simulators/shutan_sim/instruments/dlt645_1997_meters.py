"""DL/T 645-1997 meters on one bus, written by hand from the standard's tables: no public library plays this edition.

It shares no line with the drivers: frames are put together here byte by byte.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

from shutan_sim.instruments.shared_line import meant, overlaid

_READ, _FOLLOW_UP, _ANSWER, _MORE, _ERROR = 0x01, 0x02, 0x80, 0x20, 0xC0
_NO_SUCH_IDENTIFIER = b"\x02"
_BLOCK_END = b"\xaa"
_BUFFER = 256


class _Item(NamedTuple):
    """metric, bytes of packed BCD, decimals, and what one displayed unit is of the metric's (1000 for kWh of Wh)."""

    metric: str
    size: int
    decimals: int
    unit: int = 1


# Annex A: 901x forward, 902x reverse active energy, 911x, 912x reactive energy, B6xx momentary values.
ITEMS: dict[int, _Item] = {
    0x9010: _Item("active_energy_import_wh", 4, 2, 1000),
    0x9011: _Item("active_energy_import_t1_wh", 4, 2, 1000),
    0x9012: _Item("active_energy_import_t2_wh", 4, 2, 1000),
    0x9013: _Item("active_energy_import_t3_wh", 4, 2, 1000),
    0x9014: _Item("active_energy_import_t4_wh", 4, 2, 1000),
    0x9020: _Item("active_energy_export_wh", 4, 2, 1000),
    0x9110: _Item("reactive_energy_import_varh", 4, 2, 1000),
    0x9120: _Item("reactive_energy_export_varh", 4, 2, 1000),
    0xB611: _Item("voltage_l1_v", 2, 0),
    0xB612: _Item("voltage_l2_v", 2, 0),
    0xB613: _Item("voltage_l3_v", 2, 0),
    0xB621: _Item("current_l1_a", 2, 2),
    0xB622: _Item("current_l2_a", 2, 2),
    0xB623: _Item("current_l3_a", 2, 2),
    0xB630: _Item("active_power_w", 3, 4, 1000),
    0xB640: _Item("reactive_power_var", 2, 2, 1000),
    0xB650: _Item("power_factor", 2, 3),
}


@dataclass(frozen=True, slots=True)
class Meter1997:
    """One meter.

    address: 12 digits;  reading: what it measures at plant time t_ms, by catalogue name in the catalogue's unit
    blocks:  whether it answers xxxF;  piece: longest data behind the identifier in one frame, the rest follows
    """

    address: str
    reading: Callable[[str, int], Fraction]
    blocks: bool = True
    piece: int = 200

    def data(self, di: int, t_ms: int) -> bytes | None:
        """Data behind an identifier; None: no such identifier."""
        if di in ITEMS:
            item = ITEMS[di]
            shown = round(self.reading(item.metric, t_ms) * 10**item.decimals / item.unit)
            return bytes.fromhex(f"{shown % 10 ** (2 * item.size):0{2 * item.size}d}")[::-1]
        members = [one for one in ITEMS if one & 0xFFF0 == di & 0xFFF0]
        if di & 15 != 15 or not self.blocks or not members:
            return None
        return b"".join(self.data(one, t_ms) or b"" for one in members) + _BLOCK_END


def answer(address: str, control: int, data: bytes) -> bytes:
    """One frame of a meter, two wake bytes in front."""
    wire = bytes.fromhex(address)[::-1]
    body = b"\x68" + wire + b"\x68" + bytes([control, len(data)]) + bytes((byte + 0x33) % 256 for byte in data)
    return b"\xfe\xfe" + body + bytes([sum(body) % 256, 0x16])


class Dlt645Meters1997:
    """All meters of one bus: reads and follow-up reads are answered, whatever would change a meter is not."""

    def __init__(self, meters: Sequence[Meter1997]) -> None:
        self._meters = tuple(meters)
        self._left: dict[str, tuple[int, bytes]] = {}
        self._buffer = b""

    def forget(self) -> None:
        """Drop a half-received request."""
        self._buffer = b""

    def feed(self, data: bytes, t_ms: int) -> list[bytes]:
        """Received bytes in, answers out; several meters that are meant answer at once, into each other."""
        self._buffer = (self._buffer + data)[-_BUFFER:]
        begin = self._buffer.find(b"\x68")
        if begin < 0 or len(self._buffer) < begin + 12 or len(self._buffer) < begin + 12 + self._buffer[begin + 9]:
            return []
        request, self._buffer = self._buffer[begin:], b""
        size = request[9]
        if request[7] != 0x68 or request[10 + size] != sum(request[: 10 + size]) % 256 or request[11 + size] != 0x16:
            return []
        plain = bytes((byte - 0x33) % 256 for byte in request[10 : 10 + size])
        answers = [
            self._answer(meter, request[8], plain, t_ms)
            for meter in self._meters
            if meant(request[1:7], bytes.fromhex(meter.address)[::-1])
        ]
        return overlaid([one for one in answers if one])

    def _answer(self, meter: Meter1997, control: int, plain: bytes, t_ms: int) -> bytes:
        if control not in {_READ, _FOLLOW_UP} or len(plain) != 2:
            return b""
        di = int.from_bytes(plain, "little")
        if control == _READ:
            data = meter.data(di, t_ms)
        else:
            known, data = self._left.pop(meter.address, (0, b""))
            data = data if known == di else None
        if not data:
            return answer(meter.address, control | _ERROR, _NO_SUCH_IDENTIFIER)
        now, rest = data[: meter.piece], data[meter.piece :]
        self._left[meter.address] = (di, rest)
        return answer(meter.address, control | _ANSWER | (_MORE if rest else 0), plain + now)
