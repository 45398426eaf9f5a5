"""Writes to wired meters: nothing is written that the meter's own allow table does not list."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from shutan_gateway.errors import Refusal
from shutan_meters import modbus

if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import Future

    from shutan_gateway.config.serial import SerialBus, SerialWrite

__all__ = ["WriteJob", "WriteReply", "allowed_write", "write_request"]

_COIL_ON = 0xFF00


def allowed_write(buses: Sequence[SerialBus], place: tuple[str, str, str], name: str, value: int) -> SerialWrite:
    """The entry of the allow table for a write.

    place:  (site, node, device);  name: of the write;  value: what is to be written
    Raises  Refusal: unknown_meter, not_allowed or out_of_range
    """
    meters = [meter for bus in buses for meter in bus.meter if (bus.site, bus.node, meter.id) == place]
    if not meters:
        raise Refusal("unknown_meter", "no wired meter " + "/".join(place))
    listed = {write.name: write for write in meters[0].write}
    if name not in listed:
        names = ", ".join(listed) or "none"
        raise Refusal("not_allowed", f"{'/'.join(place)} has no write {name!r} in its allow table; listed: {names}")
    write = listed[name]
    if not write.low <= value <= write.high:
        raise Refusal("out_of_range", f"{name} takes {write.low} .. {write.high}, not {value}")
    return write


def write_request(unit: int, write: SerialWrite, value: int) -> bytes:
    """The Modbus request. unit: 1..247; value: as checked by `allowed_write`; a coil (05) is on for any but 0."""
    start = bytes.fromhex(write.wire_register)
    if write.function == 5:
        value = _COIL_ON if value else 0
    head = bytes((unit, write.function)) + start
    body = head + (b"\0\x01\x02" if write.function == 16 else b"") + value.to_bytes(2, "big")
    return body + modbus.crc16(body, 0, len(body)).to_bytes(2, "little")


class WriteJob(NamedTuple):
    """A write on its way to a bus.

    until_s: monotonic time after which it is not sent any more; done: None when the meter confirmed it, else an error
    """

    meter: str
    request: bytes
    until_s: float
    done: Future[None]


class WriteReply:
    """What a write waits for: the first six bytes of the request repeated, or an exception."""

    def __init__(self, request: bytes) -> None:
        """request: as built by `write_request`."""
        self._echo = request[:6] if request[1] != 16 else request[:4] + b"\0\x01"

    def __call__(self, buffer: bytes | bytearray) -> int:
        """End index of the answer, 0 while there is none."""
        for shape, length in ((self._echo, 8), (bytes((self._echo[0], self._echo[1] | 0x80)), 5)):
            at = buffer.find(shape)
            if at >= 0 and len(buffer) >= at + length and modbus.sealed(buffer, at, at + length):
                return at + length
        return 0

    def done(self, buffer: bytes | bytearray) -> int:
        """0 when the meter did it, else its exception code. buffer: one for which the call above gave an end."""
        end = self(buffer)
        refused = end >= 5 and buffer[end - 4] == self._echo[1] | 0x80
        return buffer[end - 3] if refused else 0
