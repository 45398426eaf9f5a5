"""From an address to a granted subscription. Loaded for that and dropped after it."""

import asyncio
import errno
import json
import select
import socket

from shutan_node import hal
from shutan_wire import mqtt

TYPE_CHECKING = False  # type checkers read this name as true, both runtimes as false
if TYPE_CHECKING:
    from shutan_node.link import Link

_REFUSALS = ("", "protocol version", "client id", "server unavailable", "user name or password", "not authorised")


async def shake(link: "Link") -> None:
    """Connect, subscribe, wait for both answers. OSError when the broker refuses."""
    broker = link.broker
    line = link.socket = socket.socket()
    line.setblocking(False)
    try:
        line.connect(socket.getaddrinfo(broker["host"], broker["port"])[0][-1])
    except OSError as error:
        if error.errno != errno.EINPROGRESS:
            raise
    poller = select.poll()
    poller.register(line, select.POLLOUT)
    ready: list[tuple[object, int]] = []
    for _ in range(link.keepalive_ms // 20):
        ready = poller.poll(0)  # pyright: ignore[reportUnknownVariableType] - its stub does not say of what
        if ready:
            break
        link.beat = hal.real_ms()
        await asyncio.sleep_ms(20)
    if not ready or ready[0][1] != select.POLLOUT:
        raise OSError("no connection to the broker")
    _number(broker["connect"], broker["at"], link.edge.store.bdseq)
    await link.send(broker["connect"])
    code = (await _answer(link, mqtt.CONNACK))[1]  # 3.2.2.3
    if code:
        raise OSError("broker refuses: " + _REFUSALS[min(code, 5)])
    await link.send(broker["subscribe"])
    if (await _answer(link, mqtt.SUBACK)).find(b"\x80", 2) >= 0:  # 3.9.3
        raise OSError("broker refuses the subscription")


async def _answer(link: "Link", kind: int) -> bytes:
    """Body of the next packet of a kind; others are handled on the way."""
    while True:
        packet = link.poll()
        if packet is None:
            await asyncio.sleep_ms(20)
        elif packet[0] == kind:
            return packet[2]


def state(link: "Link", payload: bytes) -> None:
    """STATE of the primary host; one older than the newest seen is ignored."""
    found = json.loads(payload)
    if found["timestamp"] >= link.host_ms:
        link.host_ms = found["timestamp"]
        link.host_online = found["online"] is True


def _number(packet: bytearray, at: int, bdseq: int) -> None:
    """Write bdSeq into a prepared packet: a varint of two bytes, whatever the number."""
    packet[at] = bdseq & 127 | 128
    packet[at + 1] = bdseq >> 7


def leave(link: "Link") -> None:
    """A planned end: die as such and disconnect."""
    death = link.broker["death"]
    _number(death, len(death) - 2, link.edge.store.bdseq)
    line = link.socket
    if line is not None:
        line.write(death)
        line.write(mqtt.DISCONNECT)
