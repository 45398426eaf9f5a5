"""Fuzz targets between the broker and the decoders: the gateway's reader of MQTT streams, JSON, each adapter."""

import copy
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from faults.fuzz_targets import Target, found, vectors
from shutan_gateway import adapters
from shutan_gateway.adapters import KINDS, open_adapter
from shutan_gateway.adapters.json_text import parse_json
from shutan_gateway.adapters.readings import Inbound
from shutan_gateway.config.adapters import AdapterConfig
from shutan_gateway.errors import Refusal
from shutan_gateway.link.mqtt_stream import Packet, Stream
from shutan_wire import mqtt
from shutan_wire.errors import WireError

__all__ = ["MESSAGE_TARGETS"]

_LIMIT = 20_000
_WARM = b"".join(mqtt.publish(f"spBv1.0/plant/DDATA/n0{n}/m1", bytes(20)) for n in range(3))
JSON_CHUNKS = (
    b"NaN",
    b"1e400",
    b"1e999999999",
    b"-1e-999999999",
    b"9" * 60,
    b"-0",
    b"0x10",
    b"[" * 20,
    b'{"a":' * 20,
    b'{"a":1,"a":2}',
    b'"\\ud800"',
    b"\\u0000",
    b"null",
    b"true",
    b'""',
    b"\xff",
    b"\xed\xa0\x80",
    b"1.",
    b",",
    b"{{x}}",
)
_WIDE = b"{" + b",".join(b'"k%d":%d' % (n % 4_900, n) for n in range(4_901)) + b"}"  # the last key was there before


Taken = tuple[list[tuple[str, bytes]], list[Packet]]


def _general(decoder: mqtt.PacketDecoder, data: bytes, acks: bytearray) -> Taken:
    """What the packet decoder and its parsers make of bytes: messages, other packets."""
    messages: list[tuple[str, bytes]] = []
    packets: list[Packet] = []
    decoder.feed(data)
    for kind, flags, body in decoder.packets():
        if kind != mqtt.PUBLISH:
            packets.append(Packet(kind, body))
            continue
        topic, payload, qos, _, _, packet_id = mqtt.parse_publish(flags, body)
        if qos == 1:
            acks += mqtt.puback(packet_id)
        messages.append((topic, payload))
    return messages, packets


def stream() -> Target:
    """The gateway's way through a stream: the same messages, acknowledgements and refusals as the packet decoder."""
    topics = [f"spBv1.0/plant/DDATA/n0{n}/m1" for n in range(3)]
    corpus = [
        b"".join(
            mqtt.publish(topics[(start + n) % 3], bytes(size), qos, False, 0 if not qos else n + 1) for n in range(3)
        )
        for size in (0, 5, 90, 200)
        for qos in (0, 1)
        for start in range(3)
    ]
    corpus += [data for data in vectors("mqtt.jsonl", "mqtt_malformed.jsonl") if len(data) < 500] + found("stream")

    warm = Stream(_LIMIT)
    count = 0

    def run(step: Callable[[bytes, bytearray], Taken], data: bytes) -> tuple[list[Taken], bytes, bool]:
        acks, half = bytearray(), len(data) // 2
        taken: list[Taken] = []
        try:
            taken += [step(data[:half], acks), step(data[half:], acks)]
        except WireError:
            return taken, b"", True
        return taken, bytes(acks), False

    def take(data: bytes) -> str:
        nonlocal warm, count
        if count % 5_000 == 0:  # it remembers up to 50,000 topics, which is not what is searched here
            warm = Stream(_LIMIT)
            warm.take(_WARM, bytearray())
        count += 1
        reader = copy.copy(warm)  # it knows topics; what it learns stays known, as in a long session
        decoder = mqtt.PacketDecoder(_LIMIT)
        fast = run(reader.take, data)
        slow = run(lambda part, acks: _general(decoder, part, acks), data)
        assert fast == slow, f"as a stream {fast}, by the packet decoder {slow}"
        return "refused" if fast[2] else "taken" if any(messages for messages, _ in fast[0]) else "incomplete"

    return Target(corpus, take, "taken", places=_heads)


def _heads(data: bytes) -> list[int]:
    """First bytes, lengths and topic lengths of the packets."""
    at, places = 0, list[int]()
    while at + 4 < len(data):
        places += range(at, at + 4)
        at += 2 + data[at + 1] if data[at + 1] < 128 else 3 + (data[at + 1] & 127 | data[at + 2] << 7)
    return places


def text() -> Target:
    """Strict JSON."""
    corpus = [payload for kind in KINDS for _, payload in _captured(kind)[1]] + [_WIDE] + found("json")

    def take(data: bytes) -> str:
        try:
            parse_json(data)
        except Refusal as refusal:
            return refusal.reason
        return "sound"

    return Target(corpus, take, "sound", chunks=JSON_CHUNKS)


def _captured(kind: str) -> tuple[dict[str, Any], list[tuple[str, bytes]]]:
    """(settings of the first case, its messages and those of cases with the same settings) of an adapter."""
    folder = Path(adapters.__file__).parent / KINDS[kind].folder
    settings: dict[str, Any] | None = None
    messages: list[tuple[str, bytes]] = []
    for path in sorted(folder.glob("testcases/*.json")):
        case: dict[str, Any] = json.loads(path.read_text("utf-8"))
        settings = case["settings"] if settings is None else settings
        if case["settings"] == settings:
            for one in case["messages"]:
                raw = bytes.fromhex(one["payload_hex"]) if "payload_hex" in one else one["payload"].encode()
                messages.append((one["topic"], raw))
    return settings or {}, messages


def adapter(kind: str) -> Target:
    """One adapter with captured payloads of its devices."""
    settings, messages = _captured(kind)
    one = open_adapter(AdapterConfig.model_validate({"kind": kind, "name": "test", "site": "works", **settings}), {})
    count = 0

    def take(data: bytes) -> str:
        nonlocal count
        count += 1
        topic = messages[count % len(messages)][0]
        if not one.claims(topic):  # an announcement was withdrawn
            return "not announced"
        try:
            samples = one.read(Inbound(topic, data, 1_780_000_000_000 + count))
        except Refusal as refusal:
            return refusal.reason
        one.notes()
        return "samples" if samples else "nothing"

    corpus = [payload for _, payload in messages] + found(kind)
    return Target(corpus, take, "samples", chunks=JSON_CHUNKS)


MESSAGE_TARGETS: dict[str, Callable[[], Target]] = {
    "stream": stream,
    "json": text,
    **{f"adapter_{kind}": partial(adapter, kind) for kind in KINDS},
}
