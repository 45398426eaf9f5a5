"""MQTT 3.1.1 packets that begin a session: CONNECT, SUBSCRIBE and their answers; and the writing of fields.

Apart from `mqtt`, which finds these names itself, so that a node can forget them once the session stands.
"""

from shutan_wire.errors import WireError
from shutan_wire.mqtt import REMAINING_MAX, read_packet_id


def u16(value: int) -> bytes:
    """Two bytes, high one first (1.5.2)."""
    return bytes((value >> 8, value & 255))


def write_packet_id(value: int) -> bytes:
    """Packet id 1 to 65535."""
    if not 0 < value <= 65535:  # 2.3.1
        raise WireError("mqtt.packet_id", "1 to 65535 wanted, got " + str(value))
    return u16(value)


def check_qos(value: int) -> int:
    """Return a QoS that is 0, 1 or 2."""
    if not 0 <= value <= 2:
        raise WireError("mqtt.qos", "0, 1 or 2 wanted, got " + str(value))
    return value


def field(data: bytes, where: str) -> bytes:
    """Binary field with its 16-bit length."""
    if len(data) > 65535:
        raise WireError(where, "longer than 65535 bytes")
    return u16(len(data)) + data


def string(text: str, where: str) -> bytes:
    """UTF-8 string field, 1.5.3."""
    try:
        data = text.encode()
    except ValueError:
        raise WireError(where, "not encodable in UTF-8") from None
    if b"\0" in data:
        raise WireError(where, "may not hold U+0000")
    return field(data, where)


def topic_name(text: str) -> bytes:
    """Topic name, 4.7: at least one character, no wildcard."""
    if not text or "+" in text or "#" in text:
        raise WireError("mqtt.topic", "empty or with a wildcard")
    return string(text, "mqtt.topic")


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


def packet(first: int, body: bytes) -> bytes:
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
    body = string(client_id, "mqtt.client_id")
    if will is not None:
        flags |= 4 | check_qos(will[2]) << 3 | (32 if will[3] else 0)
        body += topic_name(will[0]) + field(will[1], "mqtt.will")
    if username is not None:
        flags |= 128
        body += string(username, "mqtt.username")
    if password is not None:
        flags |= 64
        body += field(password.encode() if isinstance(password, str) else password, "mqtt.password")
    return packet(0x10, b"\x00\x04MQTT\x04" + bytes((flags,)) + u16(keepalive_s) + body)


def subscribe(packet_id: int, filters: "list[tuple[str, int]]") -> bytes:
    """SUBSCRIBE, 3.8, with (filter, highest QoS) pairs."""
    if not filters:
        raise WireError("mqtt.filter", "none given")  # 3.8.3-3
    body = write_packet_id(packet_id)
    for text, qos in filters:
        body += string(check_filter(text), "mqtt.filter") + bytes((check_qos(qos),))
    return packet(0x82, body)


def parse_connack(body: bytes) -> "tuple[bool, int]":
    """(session present, return code) of a CONNACK; code 0 = accepted, 1..5 = refused (3.2.2.3)."""
    if len(body) != 2 or body[0] > 1 or body[1] > 5 or (body[0] and body[1]):
        raise WireError("mqtt.connack", "malformed")
    return body[0] == 1, body[1]


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
