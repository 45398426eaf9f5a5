"""A reader of meters written by hand for the simulator's tests: shares no line with drivers or instruments."""

import asyncio
import os
import struct

LIMIT_S = 5.0


class Wire:
    """The node's end of a bus inside a running asyncio loop."""

    def __init__(self, path: str) -> None:
        self._fd = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        self._came = asyncio.Event()
        asyncio.get_running_loop().add_reader(self._fd, self._came.set)

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._fd)
        os.close(self._fd)

    def send(self, data: bytes) -> None:
        os.write(self._fd, data)

    async def receive(self, at_least: int, limit_s: float = LIMIT_S) -> bytes:
        """Bytes until there are `at_least`, or what came within the limit."""
        loop = asyncio.get_running_loop()
        end, data = loop.time() + limit_s, b""
        while len(data) < at_least and loop.time() < end:
            try:
                async with asyncio.timeout_at(end):
                    await self._came.wait()
            except TimeoutError:
                break
            self._came.clear()
            try:
                data += os.read(self._fd, 4096)
            except BlockingIOError:
                continue
        return data

    async def ask(self, request: bytes, at_least: int, limit_s: float = LIMIT_S) -> bytes:
        self.send(request)
        return await self.receive(at_least, limit_s)


def dlt_request(address: str, di: int, wake: int = 0) -> bytes:
    """Read request of DL/T 645-2007: address low byte first, data + 33H, sum."""
    body = (
        b"\x68"
        + bytes.fromhex(address)[::-1]
        + b"\x68\x11\x04"
        + bytes((b + 0x33) & 0xFF for b in di.to_bytes(4, "little"))
    )
    return b"\xfe" * wake + body + bytes([sum(body) & 0xFF, 0x16])


def dlt_data(reply: bytes) -> tuple[str, int, bytes]:
    """(address, control code, data behind DI without the offset) of the frame in a reply; checks frame and sum."""
    start = next(i for i in range(len(reply)) if reply[i] == 0x68 and len(reply) > i + 9 and reply[i + 7] == 0x68)
    length = reply[start + 9]
    frame = reply[start : start + 12 + length]
    assert frame[-1] == 0x16
    assert sum(frame[:-2]) & 0xFF == frame[-2]
    data = bytes((b - 0x33) & 0xFF for b in frame[10:-2])
    return frame[1:7][::-1].hex(), frame[8], data[4:] if frame[8] == 0x91 else data


def bcd(data: bytes) -> int:
    """Packed BCD, low byte first."""
    return int(data[::-1].hex())


def crc16(data: bytes) -> bytes:
    """CRC-16/Modbus, bit by bit, low byte first."""
    crc = 0xFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ 0xA001 if crc & 1 else crc >> 1
    return struct.pack("<H", crc)


def modbus_request(unit: int, function: int, start: int, count: int) -> bytes:
    body = struct.pack(">BBHH", unit, function, start, count)
    return body + crc16(body)


def modbus_data(reply: bytes) -> bytes:
    """Data bytes of a reply without noise; checks CRC and length."""
    assert crc16(reply[:-2]) == reply[-2:]
    assert reply[2] == len(reply) - 5
    return reply[3:-2]
