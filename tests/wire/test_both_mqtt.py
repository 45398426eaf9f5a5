"""MQTT 3.1.1 packets against golden bytes, the incremental decoder in any cut, and refusals."""

import json
import os
import sys

from shutan_wire import mqtt, mqtt_more
from shutan_wire.errors import WireError

TYPE_CHECKING = False  # type checkers read this name as true, all runtimes as false
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    Json = dict[str, Any]
    Packet = tuple[int, int, bytes]

ON_CPYTHON = sys.implementation.name == "cpython"
VECTORS = os.getenv("SHUTAN_VECTORS") or "tests/vectors"


def _vectors(name: str) -> "Iterator[Json]":
    with open(VECTORS + "/" + name) as lines:  # noqa: PTH123 - this file also runs on MicroPython without pathlib
        for line in lines:
            yield json.loads(line)


def _refusal(call: "Callable[..., object]", *arguments: object) -> str:
    try:
        found = call(*arguments)
    except WireError as error:
        return str(error)
    raise AssertionError("accepted: " + repr(found))


def _packets(data: bytes, chunk: int, limit: int = mqtt.LIMIT_BYTES) -> "list[Packet]":
    decoder = mqtt.PacketDecoder(limit)
    found: list[Packet] = []
    for at in range(0, len(data), chunk):
        decoder.feed(data[at : at + chunk])
        found.extend(decoder.packets())
    return found


def _parse(packet: "Packet") -> object:
    kind, flags, body = packet
    if kind == mqtt.CONNACK:
        return mqtt.parse_connack(body)
    if kind == mqtt.PUBLISH:
        return mqtt.parse_publish(flags, body)
    if kind == mqtt.SUBACK:
        return mqtt.parse_suback(body)
    if kind in (mqtt.PUBACK, mqtt.UNSUBACK):
        return mqtt_more.parse_puback(body)
    return None


def _connect(a: "Json") -> bytes:
    will = a["will"] and (a["will"][0], bytes.fromhex(a["will"][1]), a["will"][2], a["will"][3])
    return mqtt.connect(a["client_id"], a["keepalive_s"], a["clean"], a["username"], a["password"], will=will)


def _publish(a: "Json") -> bytes:
    payload = bytes.fromhex(a["payload"])
    return mqtt_more.publish(a["topic"], payload, a["qos"], a["retain"], a["packet_id"], dup=a["dup"])


CONSTANTS = {"PINGREQ": mqtt.PINGREQ, "PINGRESP": mqtt.PINGRESP, "DISCONNECT": mqtt.DISCONNECT}
# how to build the packet that the arguments of a golden vector describe
BUILD: "dict[str, Callable[[Json], bytes]]" = {
    "connect": _connect,
    "publish": _publish,
    "subscribe": lambda a: mqtt.subscribe(a["packet_id"], [(text, qos) for text, qos in a["filters"]]),
    "unsubscribe": lambda a: mqtt_more.unsubscribe(a["packet_id"], a["filters"]),
    "puback": lambda a: mqtt_more.puback(a["packet_id"]),
    "parse_puback": lambda a: mqtt_more.puback(a["packet_id"]),
    "parse_connack": lambda a: mqtt_more.connack(a["code"], a["session_present"]),
    "parse_suback": lambda a: mqtt_more.suback(a["packet_id"], a["codes"]),
    "constant": lambda a: CONSTANTS[a["constant"]],
}


OTHER_OPS = ("remaining_length", "string", "parse_unsuback")


def test_builders_give_the_golden_packets():
    count = 0
    for vector in _vectors("mqtt.jsonl"):
        if vector["op"] not in OTHER_OPS:
            assert BUILD[vector["op"]](vector["args"]).hex() == vector["hex"], vector["name"]
            count += 1
    assert count >= 23


def test_parsers_read_the_golden_packets():
    count = 0
    for vector in _vectors("mqtt.jsonl"):
        op = vector["op"]
        a = vector["args"]
        data = bytes.fromhex(vector["hex"])
        if op == "string":
            assert mqtt.read_string(data, 0, "x") == (a["value"], len(data))
        elif op == "publish":
            payload = bytes.fromhex(a["payload"])
            expected = (a["topic"], payload, a["qos"], a["retain"], a["dup"], a["packet_id"])
            assert [_parse(packet) for packet in _packets(data, len(data))] == [expected]
        elif op == "parse_connack":
            assert [_parse(packet) for packet in _packets(data, 1)] == [(a["session_present"], a["code"])]
        elif op == "parse_suback":
            assert [_parse(packet) for packet in _packets(data, 1)] == [(a["packet_id"], a["codes"])]
        elif op in ("parse_puback", "parse_unsuback", "puback"):
            assert [_parse(packet) for packet in _packets(data, 1)] == [a["packet_id"]]
        else:
            continue
        count += 1
    assert count >= 14


def test_remaining_lengths_of_the_standard():
    for vector in _vectors("mqtt.jsonl"):
        if vector["op"] == "remaining_length":
            size = vector["args"]["value"]
            length = bytes.fromhex(vector["hex"])
            decoder = mqtt.PacketDecoder(limit=mqtt.REMAINING_MAX)
            decoder.feed(b"\x30" + length)
            assert list(decoder.packets()) == ([] if size else [(3, 0, b"")])
            if size and size < 20000:  # the packet itself, one byte short and then whole
                decoder.feed(bytes(size - 1))
                assert decoder.next() is None
                decoder.feed(b"\0")
                assert decoder.next() == (3, 0, bytes(size))
                if size > 2:
                    assert mqtt_more.publish("t" * 2, bytes(size - 4))[1:].startswith(length), size


def test_packets_come_out_the_same_however_the_stream_is_cut():
    stream = b"".join(
        [bytes.fromhex(vector["hex"]) for vector in _vectors("mqtt.jsonl") if vector["op"] not in OTHER_OPS[:2]]
    )
    whole = _packets(stream, len(stream))
    assert len(whole) >= 24
    for chunk in (1, 2, 3, 7, 64):
        assert _packets(stream, chunk) == whole, chunk


def test_malformed_packets_are_refused_with_place_and_reason():
    def read(data: bytes, chunk: int) -> object:
        return [_parse(packet) for packet in _packets(data, chunk)]

    count = 0
    for vector in _vectors("mqtt_malformed.jsonl"):
        data = bytes.fromhex(vector["hex"])
        for chunk in (1, len(data)):
            assert _refusal(read, data, chunk) == vector["where"] + ": " + vector["reason"], vector["name"]
        count += 1
    assert count >= 29


def test_a_packet_above_the_limit_is_refused_at_its_header():
    decoder = mqtt.PacketDecoder(limit=100)
    decoder.feed(b"\x30\x64")
    assert decoder.next() is None
    decoder = mqtt.PacketDecoder(limit=100)
    decoder.feed(b"\x30\x65")
    assert "above the limit of 100" in _refusal(decoder.next)
    assert "above the limit of 100" in _refusal(decoder.next)  # a lost stream stays lost


def test_a_decoder_that_nobody_empties_does_not_grow_for_ever():
    decoder = mqtt.PacketDecoder(limit=100)
    for _ in range(53):
        decoder.feed(b"\xd0\x00")
    assert "without taking" in _refusal(decoder.feed, b"\xd0\x00")
    assert len(list(decoder.packets())) == 53
    decoder.feed(b"\xd0\x00")
    assert decoder.next() == (13, 0, b"")


def test_publish_head_writes_what_publish_writes():
    for topic in ("a", "spBv1.0/jiuniang/DDATA/n01/m-entry", "车间/1"):
        name = topic.encode()
        buf = bytearray(len(name) + 9)
        for size in (0, 1, 90, 127, 128, 700, 16384):
            for qos, retain, packet_id in ((0, False, 0), (0, True, 0), (1, False, 1), (2, True, 65535)):
                head = bytes(buf[: mqtt.publish_head(buf, name, size, qos, retain, packet_id)])
                assert head + bytes(size) == mqtt_more.publish(topic, bytes(size), qos, retain, packet_id), (
                    topic,
                    size,
                )
    assert _refusal(mqtt.publish_head, bytearray(9), b"a/b", 5) == "mqtt.publish_head: buffer too small"
    assert "above" in _refusal(mqtt.publish_head, bytearray(50), b"a/b", mqtt.REMAINING_MAX)


def test_builders_refuse_what_the_standard_forbids():
    none: list[str] = []
    cases: tuple[tuple[str, Callable[..., object], tuple[object, ...]], ...] = (
        ("mqtt.topic", mqtt_more.publish, ("", b"")),
        ("mqtt.topic", mqtt_more.publish, ("a/+", b"")),
        ("mqtt.topic", mqtt_more.publish, ("a/#", b"")),
        ("mqtt.topic: may not hold U+0000", mqtt_more.publish, ("a\0", b"")),
        ("mqtt.topic: longer", mqtt_more.publish, ("a" * 65536, b"")),
        ("mqtt.qos", mqtt_more.publish, ("a", b"", 3)),
        ("mqtt.packet_id", mqtt_more.publish, ("a", b"", 1)),
        ("mqtt.packet_id", mqtt_more.publish, ("a", b"", 1, False, 65536)),
        ("mqtt.packet_id", mqtt_more.puback, (0,)),
        ("mqtt.keepalive", mqtt.connect, ("c", 65536)),
        ("mqtt.client_id", mqtt.connect, ("", 30, False)),
        ("mqtt.password", mqtt.connect, ("c", 30, True, None, "p")),
        ("mqtt.filter: none", mqtt.subscribe, (1, none)),
        ("mqtt.filter: none", mqtt_more.unsubscribe, (1, none)),
        ("mqtt.filter: empty", mqtt.subscribe, (1, [("", 0)])),
        ("mqtt.filter: #", mqtt.subscribe, (1, [("a/#/b", 0)])),
        ("mqtt.filter: #", mqtt.subscribe, (1, [("a#", 0)])),
        ("mqtt.filter: +", mqtt_more.unsubscribe, (1, ["a/b+"])),
        ("mqtt.qos", mqtt.subscribe, (1, [("a", 3)])),
        ("mqtt.connack", mqtt_more.connack, (5, True)),
        ("mqtt.topic", lambda: mqtt.connect("c", 30, will=("a/+", b"", 0, False)), ()),
        ("mqtt.qos", lambda: mqtt.connect("c", 30, will=("a", b"", 3, False)), ()),
        ("mqtt.dup", lambda: mqtt_more.publish("a", b"", 0, dup=True), ()),
    )
    for reason, call, arguments in cases:
        assert _refusal(call, *arguments).startswith(reason), (reason, arguments)


def test_filters_with_wildcards_alone_in_their_level():
    for text in ("#", "+", "a/+/b", "a/#", "+/+/#", "/", "a//b", "spBv1.0/+/NBIRTH/#"):
        assert mqtt.check_filter(text) == text


def test_names_are_found_through_one_module():
    """All of them on CPython; a node finds those of its own session only."""
    for name in ("check_filter", "connect", "subscribe", "parse_connack", "parse_suback"):
        assert callable(getattr(mqtt, name)), name
    for name in ("publish", "puback", "unsubscribe", "connack", "suback", "parse_puback"):
        assert hasattr(mqtt, name) is ON_CPYTHON, name
        assert callable(getattr(mqtt_more, name)), name
    assert not hasattr(mqtt, "no_such_name")
    assert not hasattr(mqtt, "_no_such_name")
