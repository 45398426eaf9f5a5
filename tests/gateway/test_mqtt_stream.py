"""The receiving half of a session: however its bytes are cut, it gives what the packet decoder gives."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shutan_gateway.link.mqtt_stream import Packet, Stream
from shutan_wire import mqtt
from shutan_wire.errors import WireError

topics = st.sampled_from(["a", "spBv1.0/p/DDATA/n/d", "温度"])
payloads = st.one_of(st.binary(max_size=4), st.sampled_from([bytes(120), bytes(130), bytes(900), bytes(17_000)]))


@st.composite
def publishes(draw: st.DrawFn) -> bytes:
    qos = draw(st.sampled_from([0, 0, 1]))
    return mqtt.publish(draw(topics), draw(payloads), qos, draw(st.booleans()), 7 if qos else 0)


others = st.sampled_from([mqtt.PINGRESP, mqtt.puback(9), mqtt.suback(3, [1, 128]), mqtt.connack(0)])


def reference(data: bytes) -> tuple[list[tuple[str, bytes]], list[Packet], bytes]:
    decoder = mqtt.PacketDecoder()
    decoder.feed(data)
    messages: list[tuple[str, bytes]] = []
    packets: list[Packet] = []
    acks = b""
    for kind, flags, body in decoder.packets():
        if kind == mqtt.PUBLISH:
            topic, payload, qos, _, _, packet_id = mqtt.parse_publish(flags, body)
            messages.append((topic, payload))
            acks += mqtt.puback(packet_id) if qos else b""
        else:
            packets.append(Packet(kind, body))
    return messages, packets, acks


@settings(max_examples=80, deadline=None)
@given(st.lists(st.one_of(publishes(), publishes(), others), max_size=12), st.lists(st.integers(1, 3000), max_size=30))
def test_cut_anywhere_it_gives_the_same(packets: list[bytes], cuts: list[int]) -> None:
    data = b"".join(packets) * 2
    stream, acks, at = Stream(100_000), bytearray(), 0
    found: tuple[list[tuple[str, bytes]], list[Packet]] = ([], [])
    for size in [*cuts, len(data)]:
        messages, others_ = stream.take(data[at : at + size], acks)
        found[0].extend(messages)
        found[1].extend(others_)
        at += size
    assert (*found, bytes(acks)) == reference(data)


@pytest.mark.parametrize(
    "data",
    [
        b"\xf0\x00\x00\x00",
        b"\x36\x05\x00\x01a\x00\x01",  # QoS 3
        b"\x30\x03\x00\x02a",  # topic beyond the packet
        b"\x30\x03\x00\x01+",  # wildcard
        b"\x32\x05\x00\x01a\x00\x00",  # packet id 0
        b"\x32\x03\x00\x01a",  # no packet id
        b"\x30\xff\xff\xff\xff\x01",
        b"\x30\xff\x7f" + bytes(100),  # above the limit
        b"\x30\x01\x00\x00",
    ],
)
@pytest.mark.parametrize("known", [True, False])
def test_malformed_packets_end_the_session(data: bytes, known: bool) -> None:
    stream = Stream(10_000)
    if known:
        assert stream.take(mqtt.publish("a", b"x"), bytearray()) == ([("a", b"x")], [])
    with pytest.raises(WireError):
        stream.take(data, bytearray())
