"""One question to a time server (SNTPv4, RFC 4330). Loaded for the question and dropped after it."""

import asyncio
import os
import socket
from struct import unpack_from  # pyright: ignore[reportUnknownVariableType] - its stub names `array` without a type

TYPE_CHECKING = False  # type checkers read this name as true, both runtimes as false
if TYPE_CHECKING:
    from collections.abc import Callable

_EPOCH_1900_S = 2208988800  # 1970-01-01 minus 1900-01-01
_ERA_S = 1 << 32
_YEAR_2020_MS = 1577836800000
_TIMEOUT_MS = 1500


def question(nonce: bytes) -> bytes:
    """Client request, version 4; the 8 bytes in its transmit time come back in the answer."""
    return b"\x23" + bytes(39) + nonce


def answer_ms(data: "bytes | bytearray", nonce: bytes) -> "int | None":
    """Middle of the server's receive and transmit time in ms since 1970; None if it is no answer to `nonce`."""
    if len(data) < 48 or data[0] & 7 != 4 or data[0] >> 6 == 3 or not 0 < data[1] < 16 or data[24:32] != nonce:
        return None
    total = 0
    for at in (32, 40):
        seconds, fraction = unpack_from(">II", data, at)
        if seconds < 1 << 31:  # era 1 begins in February 2036
            seconds += _ERA_S
        total += (seconds - _EPOCH_1900_S) * 1000 + (fraction * 1000 >> 32)
    middle = total >> 1
    return middle if middle >= _YEAR_2020_MS else None


async def ask(host: str, port: int, uptime_ms: "Callable[[], int]") -> int:
    """Epoch at uptime 0 in ms. OSError when no valid answer comes."""
    address = socket.getaddrinfo(host, port, 0, socket.SOCK_DGRAM)[0][-1]
    nonce = os.urandom(8)
    line = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    data = bytearray(48)
    try:
        line.setblocking(False)
        line.connect(address)
        sent = uptime_ms()
        line.write(question(nonce))
        for _ in range(_TIMEOUT_MS):
            size = line.readinto(data)
            if size is not None:
                break
            await asyncio.sleep_ms(1)
    finally:
        line.close()
    received = uptime_ms()
    middle = answer_ms(data, nonce)
    if middle is None:
        raise OSError("time server: no valid answer")
    return middle - (sent + received) // 2
