"""MQTT 3.1.1 packets that our node never needs: whole PUBLISH, PUBACK, UNSUBSCRIBE, and a server's answers.

On CPython `mqtt` offers these names too.
"""

from shutan_wire.errors import WireError
from shutan_wire.mqtt import read_packet_id
from shutan_wire.mqtt_connect import check_filter, check_qos, packet, string, topic_name, write_packet_id


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
    first = 0x30 | (8 if dup else 0) | check_qos(qos) << 1 | (1 if retain else 0)
    return packet(first, topic_name(topic) + (write_packet_id(packet_id) if qos else b"") + payload)


def unsubscribe(packet_id: int, filters: "list[str]") -> bytes:
    """UNSUBSCRIBE, 3.10."""
    if not filters:
        raise WireError("mqtt.filter", "none given")  # 3.10.3-2
    body = write_packet_id(packet_id)
    for text in filters:
        body += string(check_filter(text), "mqtt.filter")
    return packet(0xA2, body)


def puback(packet_id: int) -> bytes:
    """PUBACK, 3.4."""
    return b"\x40\x02" + write_packet_id(packet_id)


def connack(code: int = 0, session_present: bool = False) -> bytes:
    """CONNACK, 3.2 (a server's packet)."""
    if session_present and code:
        raise WireError("mqtt.connack", "no session with a refusal")  # 3.2.2-4
    return bytes((0x20, 2, 1 if session_present else 0, code))


def suback(packet_id: int, codes: "list[int]") -> bytes:
    """SUBACK, 3.9 (a server's packet): granted QoS or 128 per filter."""
    return packet(0x90, write_packet_id(packet_id) + bytes(codes))


def parse_puback(body: bytes) -> int:
    """Packet id of a PUBACK (also of PUBREC, PUBREL, PUBCOMP and UNSUBACK)."""
    if len(body) != 2:
        raise WireError("mqtt.puback", "2 bytes wanted, got " + str(len(body)))
    return read_packet_id(body, 0)
