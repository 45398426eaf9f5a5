"""One bus as a file descriptor in an asyncio loop: an RS-485 adapter, or a TCP connection to a device server.

`transact` is the transport of `shutan_meters.master`. It waits for a quiet line before it sends, and ends at the
answer, at the time-out or at a full buffer, whatever a meter babbles.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from typing import TYPE_CHECKING, Protocol

from shutan_gateway.serial.budget import PAUSE_CHARACTERS, char_s, line_of
from shutan_meters import modbus
from shutan_meters.errors import NoAnswer
from shutan_meters.master import LIMIT

if TYPE_CHECKING:
    from collections.abc import Callable

    from shutan_gateway.config.serial import SerialBus

__all__ = ["ByteLine", "Line", "LineLost", "MbapLine", "open_line"]

_PAUSE_S = 0.005  # shortest silence that counts as one: portions of an answer come further apart than its characters
_NOISY_PAUSE_S = 0.25  # after bytes that were no answer: a babble has pauses too
_QUIET_LIMIT_S = 0.5  # a line that is never quiet is spoken into all the same
_NOISY_LIMIT_S = 3.0
_CONNECT_S = 5.0
_CHUNK = 4096
_KEPT = 8192  # bytes that nobody waited for; the rest of a babble is dropped
_MBAP = 7  # header: transaction, protocol 0, length, unit
_MBAP_PDU = 253


class LineLost(OSError):  # noqa: N818 - named after what happened
    """The adapter was unplugged or the connection closed: open again."""


class Line(Protocol):
    """What the poller needs of a bus. busy_s: seconds spent on exchanges."""

    busy_s: float

    async def transact(
        self, request: bytes, complete: Callable[[bytes | bytearray], int], timeout_ms: int
    ) -> bytes | bytearray:
        """See `shutan_meters.master`. Raises LineLost as well."""
        ...

    def close(self) -> None:
        """Give the device back."""
        ...


class _Descriptor:
    """Bytes in and out of a non-blocking descriptor. `owner` keeps it open and has `close`."""

    def __init__(self, owner: _Owner) -> None:
        self._owner = owner
        self._fd = owner.fileno()
        self._loop = asyncio.get_running_loop()
        self._came = asyncio.Event()
        self._bytes = bytearray()
        self._lost: LineLost | None = None
        self._closed = False
        os.set_blocking(self._fd, False)
        self._loop.add_reader(self._fd, self._read)

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._loop.remove_reader(self._fd)
            self._owner.close()

    def _read(self) -> None:
        try:
            data = os.read(self._fd, _CHUNK)
        except BlockingIOError:
            return
        except OSError as error:
            self._lose(LineLost(error.errno, error.strerror))
            return
        if data:
            if len(self._bytes) < _KEPT:
                self._bytes += data
        else:
            self._lose(LineLost(errno.EIO, "hung up"))
        self._came.set()

    def _lose(self, error: LineLost) -> None:
        self._lost = error
        self._loop.remove_reader(self._fd)  # a dead descriptor is readable for ever
        self._came.set()

    def take(self) -> bytes:
        """What came since the last call, b"" for nothing. Raises LineLost."""
        self._came.clear()
        if self._lost is not None:
            raise self._lost
        data = bytes(self._bytes)
        self._bytes.clear()
        return data

    async def wait(self, until_s: float) -> bool:
        """Wait for bytes; False when the loop's clock has reached `until_s`."""
        if until_s <= self._loop.time():
            return False
        try:
            async with asyncio.timeout_at(until_s):
                await self._came.wait()
        except TimeoutError:
            return False
        return True

    async def send(self, data: bytes, limit_s: float) -> None:
        """Write all of it. Raises LineLost when that takes longer than `limit_s`."""
        end = self._loop.time() + limit_s
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[os.write(self._fd, rest) :]
            except BlockingIOError:
                if self._loop.time() >= end:
                    raise LineLost(errno.ETIMEDOUT, "nothing can be written") from None
                await asyncio.sleep(0.005)
            except OSError as error:
                raise LineLost(error.errno, error.strerror) from error


class _Owner(Protocol):
    def fileno(self) -> int: ...
    def close(self) -> None: ...


class ByteLine:
    """Frames as they are. character_s: seconds of one character on the line."""

    def __init__(self, owner: _Owner, character_s: float) -> None:
        self._port = _Descriptor(owner)
        self._character_s = character_s
        self._pause_s = max(PAUSE_CHARACTERS * character_s, _PAUSE_S)
        self._noisy = False
        self._loop = asyncio.get_running_loop()
        self.busy_s = 0.0

    def close(self) -> None:
        """See `Line`."""
        self._port.close()

    async def _quiet(self) -> None:
        """Throw away what came until the line has been silent for the pause between two frames."""
        pause_s, limit_s = self._pause_s, _QUIET_LIMIT_S
        if self._noisy:
            pause_s, limit_s = max(pause_s, _NOISY_PAUSE_S), _NOISY_LIMIT_S
            self._noisy = False
        end = self._loop.time() + limit_s
        while self._loop.time() < end:
            heard = self._port.take()
            if not heard and not await self._port.wait(self._loop.time() + pause_s):
                return

    async def transact(
        self, request: bytes, complete: Callable[[bytes | bytearray], int], timeout_ms: int
    ) -> bytes | bytearray:
        """See `Line`."""
        begun = self._loop.time()
        try:
            if request:
                await self._quiet()
                await self._port.send(request, 1.0 + 2 * len(request) * self._character_s)
            end = self._loop.time() + len(request) * self._character_s + timeout_ms / 1000
            return await self._collect(complete, end)
        finally:
            self.busy_s += self._loop.time() - begun

    async def _collect(self, complete: Callable[[bytes | bytearray], int], end: float) -> bytearray:
        buffer = bytearray()
        while True:
            data = self._port.take()
            if data:
                buffer += data
                if complete(buffer) > 0:
                    return buffer
            elif not await self._port.wait(end) and not buffer:
                raise NoAnswer("bus", "silent")
            if len(buffer) >= LIMIT or (buffer and self._loop.time() >= end):
                self._noisy = True
                return buffer


class MbapLine:
    """Modbus TCP: RTU frames in and out, the header of Modbus TCP in between.

    transaction(2) protocol = 0 (2) length(2) unit(1) PDU. The transaction number tells a late answer from the one that
    is waited for, so there is nothing to listen for after a repeat.
    """

    def __init__(self, owner: _Owner) -> None:
        self._port = _Descriptor(owner)
        self._loop = asyncio.get_running_loop()
        self._transaction = 0
        self._bytes = b""
        self.busy_s = 0.0

    def close(self) -> None:
        """See `Line`."""
        self._port.close()

    async def transact(
        self, request: bytes, complete: Callable[[bytes | bytearray], int], timeout_ms: int
    ) -> bytes | bytearray:
        """See `Line`."""
        if not request:
            raise NoAnswer("bus", "nothing late on a numbered line")
        begun = self._loop.time()
        end = begun + timeout_ms / 1000
        self._transaction = self._transaction + 1 & 0xFFFF
        pdu = request[1:-2]
        head = self._transaction.to_bytes(2, "big") + b"\0\0" + (len(pdu) + 1).to_bytes(2, "big")
        try:
            await self._port.send(head + request[:1] + pdu, timeout_ms / 1000)
            while True:
                frame = self._next()
                if frame is not None:
                    if complete(frame):
                        return frame
                elif not await self._port.wait(end):
                    raise NoAnswer("bus", "silent")
                if self._loop.time() >= end:
                    raise NoAnswer("bus", "no answer to this transaction")
        finally:
            self.busy_s += self._loop.time() - begun

    def _next(self) -> bytes | None:
        """The next answer to the present transaction as an RTU frame; others are dropped."""
        self._bytes += self._port.take()
        while len(self._bytes) >= _MBAP:
            length = int.from_bytes(self._bytes[4:6], "big")
            if self._bytes[2:4] != b"\0\0" or not 2 <= length <= _MBAP_PDU + 1:
                raise LineLost(errno.EPROTO, "not Modbus TCP")
            if len(self._bytes) < 6 + length:
                return None
            frame, self._bytes = self._bytes[: 6 + length], self._bytes[6 + length :]
            if int.from_bytes(frame[:2], "big") == self._transaction:
                body = frame[6:]
                return body + modbus.crc16(body, 0, len(body)).to_bytes(2, "little")
        return None


async def open_line(bus: SerialBus) -> Line:
    """Open the adapter or connect. Raises OSError."""
    if bus.host is not None:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(_CONNECT_S):
            addresses = await loop.getaddrinfo(bus.host, bus.port, type=socket.SOCK_STREAM)
            family, kind, protocol, _, address = addresses[0]
            connection = socket.socket(family, kind, protocol)
            connection.setblocking(False)
            try:
                await loop.sock_connect(connection, address)
            except BaseException:
                connection.close()
                raise
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        return MbapLine(connection) if bus.framing == "mbap" else ByteLine(connection, char_s(bus))
    return ByteLine(_open_device(bus), char_s(bus))


def _open_device(bus: SerialBus) -> _Owner:
    """The adapter, held by this process alone. Raises OSError."""
    import serial  # noqa: PLC0415 - termios and its tables, only where an adapter is used

    path = os.path.realpath(bus.device or "")
    baud, line = line_of(bus)
    # A pseudo-terminal has no parity bit, and Debian's C library reports what it could not set as an error.
    parity = "N" if path.startswith("/dev/pts/") else line[1]
    try:
        return serial.Serial(
            bus.device, baud, parity=parity, stopbits=int(line[2]), timeout=0, write_timeout=0, exclusive=True
        )
    except serial.SerialException as error:
        code = error.errno or errno.ENODEV
        raise OSError(code, os.strerror(code) if error.errno else str(error)) from error
