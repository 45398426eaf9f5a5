"""Properties of the MQTT packets: round trip, one error only, the same packets however the stream is cut."""

from collections.abc import Callable

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shutan_wire import mqtt
from shutan_wire.errors import WireError

# the machine may be busy with other tests: time is measured in bench/, not here
CALM = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

TOPICS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0+#"), min_size=1, max_size=30)
PAYLOADS = st.binary(max_size=300)
PACKET_IDS = st.integers(1, 65535)
Publish = tuple[str, bytes, int, bool, int, bool]


@st.composite
def publishes(draw: st.DrawFn) -> Publish:
    qos = draw(st.integers(0, 2))
    packet_id = draw(PACKET_IDS) if qos else 0
    return draw(TOPICS), draw(PAYLOADS), qos, draw(st.booleans()), packet_id, bool(qos) and draw(st.booleans())


def _publish(parts: Publish) -> bytes:
    topic, payload, qos, retain, packet_id, dup = parts
    return mqtt.publish(topic, payload, qos, retain, packet_id, dup=dup)


SMALL_PACKETS = st.one_of(
    PACKET_IDS.map(mqtt.puback),
    st.sampled_from([mqtt.PINGREQ, mqtt.PINGRESP, mqtt.DISCONNECT, mqtt.connack(), mqtt.connack(5)]),
    st.tuples(PACKET_IDS, st.lists(st.sampled_from([0, 1, 2, 128]), min_size=1)).map(lambda a: mqtt.suback(*a)),
    st.tuples(PACKET_IDS, st.lists(st.tuples(TOPICS, st.integers(0, 2)), min_size=1, max_size=3)).map(
        lambda a: mqtt.subscribe(*a)
    ),
)
STREAMS = st.lists(publishes().map(_publish) | SMALL_PACKETS, max_size=6).map(b"".join)


@CALM
@given(publishes())
def test_a_publish_is_read_as_it_was_written(parts: Publish) -> None:
    topic, payload, qos, retain, packet_id, dup = parts
    decoder = mqtt.PacketDecoder()
    decoder.feed(_publish(parts))
    [(kind, flags, body)] = list(decoder.packets())
    assert kind == mqtt.PUBLISH
    assert mqtt.parse_publish(flags, body) == (topic, payload, qos, retain, dup, packet_id)


@CALM
@given(TOPICS, st.integers(0, 300_000), st.integers(0, 2), st.booleans(), PACKET_IDS)
def test_a_head_alone_equals_the_head_of_the_packet(topic: str, size: int, qos: int, retain: bool, number: int) -> None:
    buf = bytearray(len(topic.encode()) + 9)
    end = mqtt.publish_head(buf, topic.encode(), size, qos, retain, number if qos else 0)
    whole = mqtt.publish(topic, bytes(size), qos, retain, number if qos else 0)
    assert bytes(buf[:end]) == whole[: len(whole) - size]
    assert len(whole) == end + size


def _cut(stream: bytes, cuts: list[int]) -> list[bytes]:
    marks = [0, *sorted(at % (len(stream) + 1) for at in cuts), len(stream)]
    return [stream[marks[index] : marks[index + 1]] for index in range(len(marks) - 1)]


def _read(chunks: list[bytes]) -> tuple[list[tuple[int, int, bytes]], str]:
    """Packets up to the end or the first error, and that error."""
    decoder = mqtt.PacketDecoder(limit=1000)
    found: list[tuple[int, int, bytes]] = []
    for chunk in chunks:
        try:
            decoder.feed(chunk)
            for packet in decoder.packets():
                found.append(packet)  # noqa: PERF402  # what came before an error is kept
        except WireError as error:
            return found, str(error)
    return found, ""


@CALM
@given(STREAMS, st.lists(st.integers(0, 10_000), max_size=12))
def test_packets_do_not_depend_on_how_the_stream_is_cut(stream: bytes, cuts: list[int]) -> None:
    whole, error = _read([stream])
    assert error == ""
    assert _read(_cut(stream, cuts)) == (whole, "")


@settings(CALM, max_examples=400)
@given(STREAMS | st.binary(max_size=60), st.binary(max_size=60), st.lists(st.integers(0, 10_000), max_size=8))
def test_random_bytes_raise_nothing_but_wire_errors(good: bytes, noise: bytes, cuts: list[int]) -> None:
    """And the packets before the noise, and the error, are the same however the stream is cut."""
    stream = good + noise
    found, error = _read([stream])
    assert _read(_cut(stream, cuts)) == (found, error)
    for kind, flags, body in found:
        _refusal(lambda body=body: mqtt.parse_connack(body))
        _refusal(lambda body=body: mqtt.parse_suback(body))
        _refusal(lambda body=body: mqtt.parse_puback(body))
        if kind == mqtt.PUBLISH:
            _refusal(lambda flags=flags, body=body: mqtt.parse_publish(flags, body))


def _refusal(parse: Callable[[], object]) -> str:
    try:
        parse()
    except WireError as error:
        return str(error)
    return ""
