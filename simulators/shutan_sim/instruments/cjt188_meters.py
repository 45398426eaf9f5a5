"""CJ/T 188 meters on one bus, written by hand from the standard's tables: no public library plays this instrument.

It shares no line with the drivers: frames are put together here byte by byte.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

ANY = b"\xaa" * 7
_READ, _READ_ADDRESS, _ANSWER, _ERROR = 0x01, 0x03, 0x80, 0xC0
_BUFFER = 256
_CUBIC_METRE, _KILOWATT_HOUR, _KILOWATT, _CUBIC_METRE_AN_HOUR = 0x2C, 0x05, 0x17, 0x35
HEAT = 0x20


@dataclass(frozen=True, slots=True)
class Cjt188Meter:
    """One meter.

    kind:     type byte (10 water, 20 heat, 30 gas, 40 electricity);  address: 14 digits
    total:    hundredths of the unit at plant time t_ms: cubic metres, or kWh for heat and electricity
    low_first: sends its identifiers low byte first, and takes no others
    status:   the two status bytes
    """

    kind: int
    address: str
    total: Callable[[int], int]
    low_first: bool = False
    status: bytes = b"\0\0"

    @property
    def wire_address(self) -> bytes:
        """Low byte first."""
        return bytes.fromhex(self.address)[::-1]

    def body(self, t_ms: int) -> bytes:
        """DATA of a 901F answer behind DI and SER."""
        total = _bcd(self.total(t_ms), 4)
        if self.kind != HEAT:
            unit = bytes([_KILOWATT_HOUR if self.kind == 0x40 else _CUBIC_METRE])
            return total + unit + bytes(4) + unit + bytes(7) + self.status
        return (
            bytes(4) + bytes([_KILOWATT_HOUR]) + total + bytes([_KILOWATT_HOUR])
            + _bcd(1250, 4) + bytes([_KILOWATT]) + _bcd(12345, 4) + bytes([_CUBIC_METRE_AN_HOUR])
            + _bcd(987654, 4) + bytes([_CUBIC_METRE]) + _bcd(6543, 3) + _bcd(4321, 3) + _bcd(8760, 3)
            + bytes(7) + self.status
        )  # fmt: skip


def _bcd(number: int, size: int) -> bytes:
    return bytes.fromhex(f"{number % 10 ** (2 * size):0{2 * size}d}")[::-1]


def _frame(kind: int, address: bytes, control: int, data: bytes) -> bytes:
    body = bytes([0x68, kind]) + address + bytes([control, len(data)]) + data
    return b"\xfe\xfe" + body + bytes([sum(body) & 0xFF, 0x16])


class Cjt188Meters:
    """All CJ/T 188 meters of one bus: reads of 901F and address requests are answered, whatever would change is not."""

    def __init__(self, meters: Sequence[Cjt188Meter]) -> None:
        self._meters = tuple(meters)
        self._buffer = b""

    def forget(self) -> None:
        """Drop a half-received request."""
        self._buffer = b""

    def feed(self, data: bytes, t_ms: int) -> list[bytes]:
        """Received bytes in, answers out."""
        self._buffer = (self._buffer + data)[-_BUFFER:]
        begin = self._buffer.find(b"\x68")
        if begin < 0 or len(self._buffer) < begin + 13 or len(self._buffer) < begin + 13 + self._buffer[begin + 10]:
            return []
        request, self._buffer = self._buffer[begin:], b""
        size = request[10]
        if request[11 + size] != sum(request[: 11 + size]) & 0xFF or request[12 + size] != 0x16:
            return []
        return [answer for meter in self._meters for answer in self._answer(meter, request, t_ms)]

    def _answer(self, meter: Cjt188Meter, request: bytes, t_ms: int) -> list[bytes]:
        kind, address, control, data = request[1], request[2:9], request[9], request[11 : 11 + request[10]]
        lone = address == ANY and len(self._meters) == 1
        if kind not in {meter.kind, 0xAA} or not (lone or address == meter.wire_address) or len(data) < 3:
            return []
        own = b"\x1f\x90" if meter.low_first else b"\x90\x1f"
        if control == _READ and data[:2] == own:
            return [_frame(meter.kind, meter.wire_address, _READ | _ANSWER, data[:3] + meter.body(t_ms))]
        if control == _READ_ADDRESS and data[:2] in {b"\x81\x0a", b"\x0a\x81"}:
            return [_frame(meter.kind, meter.wire_address, _READ_ADDRESS | _ANSWER, data[:3])]
        if control == _READ:
            return [_frame(meter.kind, meter.wire_address, _READ | _ERROR, data[2:3] + meter.status)]
        return []
