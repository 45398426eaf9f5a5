"""MQTT 3.1.1 (OASIS) packets: builders, an incremental decoder and parsers. No I/O.

Clause numbers are those of the OASIS standard of 29 October 2014. What a standing session needs is here; the names of
`mqtt_connect` (and on CPython those of `mqtt_more`) are found through this module and loaded at their first use.
"""

import sys

from shutan_wire.errors import WireError

TYPE_CHECKING = False  # type checkers read this name as true, both runtimes as false
if TYPE_CHECKING:
    from collections.abc import Iterator

    from shutan_wire.mqtt_connect import check_filter, connect, parse_connack, parse_suback, subscribe
    from shutan_wire.mqtt_more import connack, parse_puback, puback, publish, suback, unsubscribe

    __all__ = [
        "check_filter", "connack", "connect", "parse_connack", "parse_puback", "parse_suback", "puback", "publish",
        "suback", "subscribe", "unsubscribe",
    ]  # fmt: skip

CONNACK = 2
PUBLISH = 3
PUBACK = 4
SUBACK = 9
UNSUBACK = 11
PINGRESP_TYPE = 13

PINGREQ = b"\xc0\x00"
PINGRESP = b"\xd0\x00"
DISCONNECT = b"\xe0\x00"

LIMIT_BYTES = 1_048_576
REMAINING_MAX = 268_435_455  # 2.2.3: four bytes of seven bits

_ANY = 255
# fixed remaining length by packet type, 2.2.1 and chapter 3
_LENGTHS = bytes((_ANY, _ANY, 2, _ANY, 2, 2, 2, 2, _ANY, _ANY, _ANY, 2, 0, 0, 0, _ANY))


def publish_head(  # noqa: PLR0917  # positional: keywords cost a node time at every call
    buf: "bytearray | memoryview",
    topic_bytes: bytes,
    payload_len: int,
    qos: int = 0,
    retain: bool = False,
    packet_id: int = 0,
) -> int:
    """Write the header of a PUBLISH into buf from 0 and return its length; the payload is sent after it.

    Allocates nothing on MicroPython. topic_bytes is a checked topic in UTF-8. WireError if buf is too small.
    """
    size = len(topic_bytes)
    rest = 2 + size + (2 if qos else 0) + payload_len
    if rest > REMAINING_MAX:
        raise WireError("mqtt.remaining_length", "above 268435455")
    if len(buf) < 7 + size + 2:
        raise WireError("mqtt.publish_head", "buffer too small")
    buf[0] = 0x30 | qos << 1 | (1 if retain else 0)
    pos = 1
    while rest > 127:
        buf[pos] = rest & 127 | 128
        rest >>= 7
        pos += 1
    buf[pos] = rest
    buf[pos + 1] = size >> 8
    buf[pos + 2] = size & 255
    pos += 3
    at = 0
    while at < size:
        buf[pos] = topic_bytes[at]
        pos += 1
        at += 1
    if qos:
        buf[pos] = packet_id >> 8
        buf[pos + 1] = packet_id & 255
        pos += 2
    return pos


class PacketDecoder:
    """Finds packets in a byte stream cut anywhere. After a WireError the stream is lost: close the connection."""

    def __init__(self, limit: int = LIMIT_BYTES) -> None:
        self._limit = limit
        self._buffer = bytearray()

    def feed(self, data: "bytes | bytearray | memoryview") -> None:
        """Add received bytes. Take the packets out between two calls, so that the buffer stays within the limit."""
        if len(self._buffer) > self._limit + 5:
            raise WireError("mqtt", "fed on without taking packets")
        self._buffer += data

    def packets(self) -> "Iterator[tuple[int, int, bytes]]":
        """Iterate over the whole packets so far as (type, flags, body)."""
        packet = self.next()
        while packet is not None:
            yield packet
            packet = self.next()

    def next(self) -> "tuple[int, int, bytes] | None":
        """Next whole packet as (type, flags, body), or None until more bytes are fed."""
        buffer = self._buffer
        have = len(buffer)
        if not have:
            return None
        kind, flags = _first_byte(buffer[0])
        size = 0
        at = 1
        while True:
            if at >= have:
                return None
            byte = buffer[at]
            size |= (byte & 127) << (7 * at - 7)
            at += 1
            if byte < 128:
                break
            if at == 5:
                raise WireError("mqtt.remaining_length", "longer than 4 bytes")  # 2.2.3
        if size > self._limit:
            raise WireError("mqtt.remaining_length", str(size) + " is above the limit of " + str(self._limit))
        if _LENGTHS[kind] not in (_ANY, size):
            raise WireError("mqtt.remaining_length", str(size) + " does not fit packet type " + str(kind))
        if have < at + size:
            return None
        body = bytes(memoryview(buffer)[at : at + size])
        self._buffer = buffer[at + size :]
        return kind, flags, body


def _first_byte(byte: int) -> "tuple[int, int]":
    """(packet type, flags) of the first byte, checked by 2.2.2."""
    kind = byte >> 4
    flags = byte & 15
    if kind in (0, 15):
        raise WireError("mqtt.fixed_header", "packet type " + str(kind) + " is reserved")
    if kind == PUBLISH:
        if flags & 6 == 6:
            raise WireError("mqtt.fixed_header", "QoS 3")  # 3.3.1-4
        if flags & 14 == 8:
            raise WireError("mqtt.fixed_header", "dup at QoS 0")  # 3.3.1-2
    elif flags != (2 if kind in (6, 8, 10) else 0):  # PUBREL, SUBSCRIBE, UNSUBSCRIBE: 2.2.2
        raise WireError("mqtt.fixed_header", "flags " + str(flags) + " at packet type " + str(kind))
    return kind, flags


def read_string(body: bytes, pos: int, where: str) -> "tuple[str, int]":
    """(text, next position) of a UTF-8 string field."""
    stop = pos + 2
    if stop <= len(body):
        stop += body[pos] << 8 | body[pos + 1]
    if stop > len(body):
        raise WireError(where, "string beyond the end of the packet")
    try:
        text = str(body[pos + 2 : stop], "utf-8")
    except ValueError:
        raise WireError(where, "not UTF-8") from None
    if "\0" in text:
        raise WireError(where, "holds U+0000")  # 1.5.3-2
    return text, stop


def read_packet_id(body: bytes, pos: int) -> int:
    """Packet id at a position, never 0."""
    if pos + 2 > len(body):
        raise WireError("mqtt.packet_id", "beyond the end of the packet")
    number = body[pos] << 8 | body[pos + 1]
    if not number:
        raise WireError("mqtt.packet_id", "is 0")
    return number


def parse_publish(flags: int, body: bytes) -> "tuple[str, bytes, int, bool, bool, int]":
    """(topic, payload, qos, retain, dup, packet_id) of a PUBLISH; packet_id 0 at QoS 0."""
    qos = flags >> 1 & 3
    if qos == 3:
        raise WireError("mqtt.fixed_header", "QoS 3")
    topic, pos = read_string(body, 0, "mqtt.topic")
    if not topic or "+" in topic or "#" in topic:
        raise WireError("mqtt.topic", "empty or with a wildcard")  # 3.3.2-2
    packet_id = 0
    if qos:
        packet_id = read_packet_id(body, pos)
        pos += 2
    return topic, bytes(body[pos:]), qos, flags & 1 == 1, flags & 8 == 8, packet_id


def __getattr__(name: str) -> object:
    if name in ("check_filter", "connect", "parse_connack", "parse_suback", "subscribe"):
        from shutan_wire import mqtt_connect

        return getattr(mqtt_connect, name)
    if sys.implementation.name != "micropython" and not name.startswith("_"):
        from shutan_wire import mqtt_more

        return getattr(mqtt_more, name)
    raise AttributeError(name)
