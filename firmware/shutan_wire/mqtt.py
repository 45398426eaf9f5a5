"""MQTT 3.1.1 (OASIS) packets: builders, an incremental decoder and parsers. No I/O.

Clause numbers are those of the OASIS standard of 29 October 2014.
"""

from shutan_wire.errors import WireError

TYPE_CHECKING = False  # type checkers read this name as true, both runtimes as false
if TYPE_CHECKING:
    from collections.abc import Iterator

CONNECT = 1
CONNACK = 2
PUBLISH = 3
PUBACK = 4
PUBREC = 5
PUBREL = 6
PUBCOMP = 7
SUBSCRIBE = 8
SUBACK = 9
UNSUBSCRIBE = 10
UNSUBACK = 11
PINGREQ_TYPE = 12
PINGRESP_TYPE = 13
DISCONNECT_TYPE = 14

PINGREQ = b"\xc0\x00"
PINGRESP = b"\xd0\x00"
DISCONNECT = b"\xe0\x00"

LIMIT_BYTES = 1_048_576
REMAINING_MAX = 268_435_455  # 2.2.3: four bytes of seven bits

_ANY = 255
# fixed remaining length by packet type, 2.2.1 and chapter 3
_LENGTHS = bytes((_ANY, _ANY, 2, _ANY, 2, 2, 2, 2, _ANY, _ANY, _ANY, 2, 0, 0, 0, _ANY))


def _u16(value: int) -> bytes:
    return bytes((value >> 8, value & 255))


def _packet_id(value: int) -> bytes:
    if not 0 < value <= 65535:  # 2.3.1
        raise WireError("mqtt.packet_id", "1 to 65535 wanted, got " + str(value))
    return _u16(value)


def _qos(value: int) -> int:
    if not 0 <= value <= 2:
        raise WireError("mqtt.qos", "0, 1 or 2 wanted, got " + str(value))
    return value


def _field(data: bytes, where: str) -> bytes:
    """Binary field with its 16-bit length."""
    if len(data) > 65535:
        raise WireError(where, "longer than 65535 bytes")
    return _u16(len(data)) + data


def _string(text: str, where: str) -> bytes:
    """UTF-8 string field, 1.5.3."""
    try:
        data = text.encode()
    except ValueError:
        raise WireError(where, "not encodable in UTF-8") from None
    if b"\0" in data:
        raise WireError(where, "may not hold U+0000")
    return _field(data, where)


def _topic(text: str) -> bytes:
    """Topic name, 4.7: at least one character, no wildcard."""
    if not text or "+" in text or "#" in text:
        raise WireError("mqtt.topic", "empty or with a wildcard")
    return _string(text, "mqtt.topic")


def check_filter(text: str) -> str:
    """Return a topic filter if its wildcards stand alone in their level and # is last (4.7.1); WireError otherwise."""
    levels = text.split("/")
    for index, level in enumerate(levels):
        if "#" in level and (level != "#" or index != len(levels) - 1):
            raise WireError("mqtt.filter", "# must be the whole last level")
        if "+" in level and level != "+":
            raise WireError("mqtt.filter", "+ must be a whole level")
    if not text:
        raise WireError("mqtt.filter", "empty")
    return text


def _packet(first: int, body: bytes) -> bytes:
    """Fixed header before a body."""
    size = len(body)
    if size > REMAINING_MAX:
        raise WireError("mqtt.remaining_length", "above 268435455")
    head = bytearray((first,))
    while size > 127:
        head.append(size & 127 | 128)
        size >>= 7
    head.append(size)
    return bytes(head) + body


def connect(
    client_id: str,
    keepalive_s: int,
    clean: bool = True,
    username: "str | None" = None,
    password: "str | bytes | None" = None,
    *,
    will: "tuple[str, bytes, int, bool] | None" = None,
) -> bytes:
    """CONNECT, 3.1. will = (topic, payload, qos, retain)."""
    if not 0 <= keepalive_s <= 65535:
        raise WireError("mqtt.keepalive", "0 to 65535 s wanted, got " + str(keepalive_s))
    if not client_id and not clean:
        raise WireError("mqtt.client_id", "empty needs a clean session")  # 3.1.3-8
    if password is not None and username is None:
        raise WireError("mqtt.password", "needs a user name")  # 3.1.2-22
    flags = 2 if clean else 0
    body = _string(client_id, "mqtt.client_id")
    if will is not None:
        flags |= 4 | _qos(will[2]) << 3 | (32 if will[3] else 0)
        body += _topic(will[0]) + _field(will[1], "mqtt.will")
    if username is not None:
        flags |= 128
        body += _string(username, "mqtt.username")
    if password is not None:
        flags |= 64
        body += _field(password.encode() if isinstance(password, str) else password, "mqtt.password")
    return _packet(0x10, b"\x00\x04MQTT\x04" + bytes((flags,)) + _u16(keepalive_s) + body)


def publish(
    topic: str,
    payload: bytes,
    qos: int = 0,
    retain: bool = False,
    packet_id: int = 0,
    *,
    dup: bool = False,
) -> bytes:
    """PUBLISH, 3.3. A packet id is needed for QoS 1 and 2 only."""
    if dup and not qos:
        raise WireError("mqtt.dup", "not allowed at QoS 0")  # 3.3.1-2
    first = 0x30 | (8 if dup else 0) | _qos(qos) << 1 | (1 if retain else 0)
    return _packet(first, _topic(topic) + (_packet_id(packet_id) if qos else b"") + payload)


def publish_head(  # noqa: PLR0917  # positional: keywords cost a node time at every call
    buf: bytearray, topic_bytes: bytes, payload_len: int, qos: int = 0, retain: bool = False, packet_id: int = 0
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


def subscribe(packet_id: int, filters: "list[tuple[str, int]]") -> bytes:
    """SUBSCRIBE, 3.8, with (filter, highest QoS) pairs."""
    if not filters:
        raise WireError("mqtt.filter", "none given")  # 3.8.3-3
    body = _packet_id(packet_id)
    for text, qos in filters:
        body += _string(check_filter(text), "mqtt.filter") + bytes((_qos(qos),))
    return _packet(0x82, body)


def unsubscribe(packet_id: int, filters: "list[str]") -> bytes:
    """UNSUBSCRIBE, 3.10."""
    if not filters:
        raise WireError("mqtt.filter", "none given")  # 3.10.3-2
    body = _packet_id(packet_id)
    for text in filters:
        body += _string(check_filter(text), "mqtt.filter")
    return _packet(0xA2, body)


def puback(packet_id: int) -> bytes:
    """PUBACK, 3.4."""
    return b"\x40\x02" + _packet_id(packet_id)


def connack(code: int = 0, session_present: bool = False) -> bytes:
    """CONNACK, 3.2 (a server's packet)."""
    if session_present and code:
        raise WireError("mqtt.connack", "no session with a refusal")  # 3.2.2-4
    return bytes((0x20, 2, 1 if session_present else 0, code))


def suback(packet_id: int, codes: "list[int]") -> bytes:
    """SUBACK, 3.9 (a server's packet): granted QoS or 128 per filter."""
    return _packet(0x90, _packet_id(packet_id) + bytes(codes))


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
    elif flags != (2 if kind in (PUBREL, SUBSCRIBE, UNSUBSCRIBE) else 0):
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


def parse_connack(body: bytes) -> "tuple[bool, int]":
    """(session present, return code) of a CONNACK; code 0 = accepted, 1..5 = refused (3.2.2.3)."""
    if len(body) != 2 or body[0] > 1 or body[1] > 5 or (body[0] and body[1]):
        raise WireError("mqtt.connack", "malformed")
    return body[0] == 1, body[1]


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


def parse_puback(body: bytes) -> int:
    """Packet id of a PUBACK (also of PUBREC, PUBREL, PUBCOMP and UNSUBACK)."""
    if len(body) != 2:
        raise WireError("mqtt.puback", "2 bytes wanted, got " + str(len(body)))
    return read_packet_id(body, 0)


def parse_suback(body: bytes) -> "tuple[int, list[int]]":
    """(packet id, list of granted QoS or 128 = refused) of a SUBACK."""
    packet_id = read_packet_id(body, 0)
    codes = list(body[2:])
    if not codes:
        raise WireError("mqtt.suback", "no return code")
    for code in codes:
        if code not in (0, 1, 2, 128):
            raise WireError("mqtt.suback", "return code " + str(code))
    return packet_id, codes
