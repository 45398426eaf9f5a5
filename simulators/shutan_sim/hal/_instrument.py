"""A meter inside the board's own process: a UART that answers as one PZEM-004T energy module, without a line.

A thousand boards on one machine cannot each have a pseudo-terminal with somebody behind it. Whoever wants this puts
`machine.UART = _instrument.UART` before the node starts. The k-th answer shows k Wh and k W, so what a host must hold
is known beforehand: 1..SHUTAN_SIM_READINGS of every node, each once. After that many answers the meter is dead.
"""
# ruff: noqa: INP001 - modules of a board lie in a folder that is a search path, not a package

import os

_READINGS = int(os.getenv("SHUTAN_SIM_READINGS") or 0x7FFFFFF)
_REQUEST = 8  # bytes: address, function 4, start, count, CRC
_REGISTERS = 10


def _seal(frame: bytearray) -> bytearray:
    """Append CRC-16/Modbus, low byte first."""
    crc = 0xFFFF
    for byte in frame:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xA001 if crc & 1 else 0)
    frame.append(crc & 255)
    frame.append(crc >> 8)
    return frame


class UART:
    """The part of `machine.UART` that a node uses. The answer is there as soon as the request is written."""

    def __init__(self, *_args: object, **_settings: object) -> None:
        self._answers = 0
        self._waiting = None

    def write(self, request: bytes) -> int:
        """Take a request; an answer waits if it was for this meter's registers and the meter lives."""
        if len(request) == _REQUEST and request[1] == 4 and request[5] == _REGISTERS and self._answers < _READINGS:
            self._answers += 1
            self._waiting = self._reply(request[0])
        return len(request)

    def read(self, _nbytes: int = -1) -> object:
        """What waits, all at once; None when nothing does."""
        waiting = self._waiting
        self._waiting = None
        return waiting

    def flush(self) -> None:
        """Nothing waits to be sent."""

    def _reply(self, address: int) -> bytearray:
        """Registers 0..9: V/10, mA, W/10, Wh, Hz/10, cos phi/100, alarm; 32-bit values low word first."""
        reply = bytearray((address, 4, 2 * _REGISTERS))
        watt_10 = 10 * self._answers
        for word in (2301, 4321, 0, watt_10, watt_10 >> 16, self._answers, self._answers >> 16, 500, 98, 0):
            reply.append(word >> 8 & 255)
            reply.append(word & 255)
        return _seal(reply)
