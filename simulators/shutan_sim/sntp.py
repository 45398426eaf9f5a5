"""An SNTP server (RFC 4330) on loopback that tells plant time: how the nodes get their clock."""

import asyncio
from collections.abc import Callable
from typing import cast

HOST = "127.0.0.1"
_EPOCH_1900_S = 2_208_988_800  # 1970-01-01 minus 1900-01-01
_PACKET = 48
_CLIENT = 3
_SERVER = 4


def _stamp(t_ms: int) -> bytes:
    """64-bit NTP time: seconds since 1900 (mod 2^32), then the fraction."""
    seconds, ms = divmod(t_ms, 1000)
    return ((seconds + _EPOCH_1900_S) & 0xFFFFFFFF).to_bytes(4, "big") + ((ms << 32) // 1000).to_bytes(4, "big")


def answer(request: bytes, received_ms: int, sent_ms: int) -> bytes | None:
    """The server's packet, stratum 1; None if the request is none of a client's."""
    if len(request) < _PACKET or request[0] & 7 != _CLIENT:
        return None
    version = request[0] & 0x38
    head = bytes([version | _SERVER, 1, 6, 0xF6]) + bytes(8) + b"PLNT"
    return head + _stamp(received_ms) + request[40:48] + _stamp(received_ms) + _stamp(sent_ms)


class _Protocol(asyncio.DatagramProtocol):
    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        received_ms = self._now_ms()
        reply = answer(data, received_ms, self._now_ms())
        if reply is not None and self._transport is not None:
            self._transport.sendto(reply, addr)


async def serve(now_ms: Callable[[], int], port: int = 0) -> tuple[asyncio.DatagramTransport, int]:
    """Start on loopback; the transport to close, and the port (a free one for 0)."""
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: _Protocol(now_ms), local_addr=(HOST, port)
    )
    return transport, cast("tuple[str, int]", transport.get_extra_info("sockname"))[1]
