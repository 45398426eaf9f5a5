"""What is fuzzed: each target takes one input and says which class it fell into; only its own error is caught."""

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from faults.mutate import CHUNKS, Mutator, protobuf_places, seal_cjt188, seal_dlt645, seal_modbus
from shutan_gateway.errors import Refusal
from shutan_gateway.payload.decode import Decoded, decode
from shutan_gateway.payload.decoder import Decoder, Shapes
from shutan_gateway.payload.definition import Definition, birth_text
from shutan_gateway.payload.malformed import OTHER, kind_of
from shutan_meters import cjt188, dlt645, inspect_cjt188, inspect_dlt645, inspect_modbus, modbus
from shutan_meters.errors import MeterError
from shutan_wire import datatypes as dt
from shutan_wire import mqtt
from shutan_wire.decode import decode_payload
from shutan_wire.errors import WireError
from support.host_rig import Rig
from support.places import REPO
from support.sparkplug_node import T0_MS, Scalar, SparkplugNode

__all__ = ["TARGETS", "Target", "found", "vectors"]

VECTORS = REPO / "tests/vectors"
_LIMIT = 4_096
_EXPLAIN_EVERY = 8  # `shutan meter decode` is for a person: every eighth input goes there as well


class Target(NamedTuple):
    """corpus: sound inputs; take: one input -> its class; reached: a class that damaged inputs still fall into.

    places, seal, chunks: see Mutator.
    """

    corpus: list[bytes]
    take: Callable[[bytes], str]
    reached: str
    places: Callable[[bytes], list[int]] | None = None
    seal: Callable[[bytearray], None] | None = None
    chunks: tuple[bytes, ...] = CHUNKS

    def inputs(self, seed: int) -> Mutator:
        """Damaged inputs, the same for the same seed."""
        return Mutator(self.corpus, seed, places=self.places, seal=self.seal, chunks=self.chunks)


def vectors(*names: str) -> list[bytes]:
    """Payloads of files of tests/vectors."""
    lines = [line for name in names for line in (VECTORS / name).read_text("utf-8").splitlines()]
    return [bytes.fromhex(json.loads(line)["hex"]) for line in lines]


def found(target: str) -> list[bytes]:
    """Inputs that once broke something; they stay in the corpus."""
    path = Path(VECTORS / f"fuzz_{target}.jsonl")
    return vectors(path.name) if path.is_file() else []


def sparkplug() -> Target:
    """The payload decoder, with metadata, properties, DataSet and Template."""
    corpus = vectors("sparkplug.jsonl", "sparkplug_malformed.jsonl") + found("sparkplug")
    corpus = [data for data in corpus if len(data) < 1_000]

    def take(data: bytes) -> str:
        try:
            decode_payload(data, _LIMIT)
        except WireError as error:
            refused = error
        else:
            return "sound"
        kind = kind_of(refused)
        assert kind != OTHER, f"no class for {refused}"
        return kind

    return Target(corpus, take, "sound", places=protobuf_places)


def packets() -> Target:
    """The MQTT packet decoder, fed in two parts, and the parsers behind it."""
    corpus = [data for data in vectors("mqtt.jsonl", "mqtt_malformed.jsonl") if len(data) < 1_000] + found("mqtt")
    parsers: dict[int, Callable[[bytes], object]] = {
        mqtt.CONNACK: mqtt.parse_connack,
        mqtt.PUBACK: mqtt.parse_puback,
        mqtt.SUBACK: mqtt.parse_suback,
    }

    def take(data: bytes) -> str:
        decoder = mqtt.PacketDecoder(_LIMIT)
        whole = 0
        half = len(data) // 2
        try:
            for part in (data[:half], data[half:]):
                decoder.feed(part)
                for kind, flags, body in decoder.packets():
                    whole += 1
                    if kind == mqtt.PUBLISH:
                        mqtt.parse_publish(flags, body)
                    elif kind in parsers:
                        parsers[kind](body)
        except WireError as error:
            return error.where
        return "whole" if whole else "incomplete"

    return Target(corpus, take, "whole", places=_head)


def _head(data: bytes) -> list[int]:
    return list(range(min(4, len(data))))


_WIDE = {
    f"metric_{number}": kind for number, kind in enumerate([dt.UINT64, dt.FLOAT, dt.INT32, dt.DOUBLE, dt.BOOLEAN] * 4)
}
_METER = {"active_energy_import_wh": dt.UINT64, "active_power_w": dt.FLOAT}
_TEXTS = {"state": dt.STRING, "power_w": dt.FLOAT, "count": dt.INT64}


def _values(declared: dict[str, int], chance: random.Random) -> dict[str, Scalar]:
    makers: dict[int, Callable[[], Scalar]] = {
        dt.FLOAT: lambda: chance.uniform(-1e6, 1e6),
        dt.DOUBLE: lambda: chance.uniform(-1e6, 1e6),
        dt.BOOLEAN: lambda: chance.random() < 0.5,
        dt.STRING: lambda: "x" * chance.randrange(6),
        dt.INT32: lambda: chance.randrange(-(2**31), 2**31),
        dt.INT64: lambda: chance.randrange(-(2**63), 2**63),
        dt.UINT64: lambda: chance.randrange(1 << chance.choice([7, 14, 28, 35, 63])),
    }
    return {name: makers[kind]() for name, kind in declared.items()}


def shapes() -> Target:
    """Decoding through learned layouts: the same answer as the general path for every input."""
    chance = random.Random(15)  # noqa: S311 - the same inputs each time
    devices = {"meter": _METER, "wide": _WIDE, "texts": _TEXTS}
    known = Shapes()
    decoder = Decoder(known)
    corpus = found("shapes")
    definitions: list[Definition] = []
    for store in (7, None):
        node = SparkplugNode(store=store, devices=devices)
        metrics = [metric for _, payload in node.births() for metric in decode_payload(payload).metrics if metric.alias]
        definitions.append(known.definition(birth_text(metrics)))
        corpus += [
            node.data(device, _values(declared, chance), historical=number % 5 == 0)[1]
            for device, declared in devices.items()
            for number in range(12)
        ]
    for raw in corpus * 8:
        for one in definitions:
            _outcome(lambda raw=raw, one=one: decoder.decode(one, raw, T0_MS, []))

    def take(data: bytes) -> str:
        hits = decoder.hits
        one = definitions[len(data) & 1]
        fast = _outcome(lambda: decoder.decode(one, data, T0_MS, []))
        slow = _outcome(lambda: decode(one, data, T0_MS))
        assert fast == slow, f"by shape {fast}, by the general path {slow}"
        return "by shape" if decoder.hits > hits else slow if isinstance(slow, str) else "general"

    return Target(corpus, take, "by shape")


def _outcome(call: Callable[[], Decoded]) -> Decoded | str:
    try:
        return call()
    except Refusal as refusal:
        return refusal.reason


def host() -> Target:
    """The whole Sparkplug host: births, data and deaths of own and foreign nodes; the balance of counters is kept."""
    own = SparkplugNode(devices={"meter": _METER, "texts": _TEXTS})
    foreign = SparkplugNode("n02", store=None)
    sound = [*own.births(), *foreign.births()]
    messages = [
        *sound,
        own.data("meter"),
        own.data("texts", {"state": "x"}),
        own.gap(3, 4, unsaved=True),
        foreign.data(),
    ]
    messages += [own.node_death(), own.device_death("meter")]
    topics = [topic for topic, _ in messages]
    rig = Rig()
    count = 0

    def take(data: bytes) -> str:
        nonlocal rig, count
        count += 1
        if count % 2_000 == 1:
            rig = Rig()
        if count % 50 == 1:
            rig.take(sound)
        accepted = rig.total("accepted")
        rig.take((topics[count % len(topics)], data))
        rig.balance()
        return "accepted" if rig.total("accepted") > accepted else "other"

    corpus = [payload for _, payload in messages] + found("host")
    return Target(corpus, take, "accepted", places=protobuf_places)


def _meter(
    corpus: list[bytes],
    seal: Callable[[bytearray], None],
    find: Callable[[bytes], object],
    explain: Callable[[bytes], object],
) -> Target:
    count = 0

    def take(data: bytes) -> str:
        nonlocal count
        count += 1
        kind = "none"
        try:
            kind = "answer" if find(data) else "none"
        except MeterError as error:
            kind = type(error).__name__
        if count % _EXPLAIN_EVERY == 0:
            try:
                explain(data)
            except MeterError:
                kind += ", not explained"
        return kind

    return Target(corpus, take, "answer", seal=seal)


def meter_dlt645() -> Target:
    """DL/T 645 answers on the line, and the explanation of captured frames."""
    corpus = vectors("dlt645.jsonl", "dlt645_1997.jsonl") + found("dlt645")
    replies = [
        dlt645.Reply(dlt645.address_bytes("201000000012"), 0x13),
        dlt645.Reply(dlt645.address_bytes("AAAAAAAAAAAA"), dlt645.READ, b"\x00\x00\x01\x00"),
    ]
    corpus += [
        dlt645.frame(dlt645.address_bytes("000000000161"), 0x91, b"\x00\x00\x01\x00" + bytes(n)) for n in (4, 40)
    ]
    return _meter(corpus, seal_dlt645, lambda data: _any(replies, data), inspect_dlt645.decode)


def meter_modbus() -> Target:
    """Modbus RTU answers on the line, and the explanation of captured frames."""
    corpus = vectors("modbus.jsonl") + found("modbus")
    replies = [modbus.Reply(1, 4, 2), modbus.Reply(1, 3, 2), modbus.Reply(1, 4, 18)]
    return _meter(corpus, seal_modbus, lambda data: _any(replies, data), inspect_modbus.decode)


def meter_cjt188() -> Target:
    """CJ/T 188 answers on the line, and the explanation of captured frames."""
    corpus = vectors("cjt188.jsonl") + found("cjt188")
    replies = [
        cjt188.Reply(cjt188.ANY_TYPE, cjt188.WILDCARD, cjt188.READ, b"\x90\x1f"),
        cjt188.Reply(cjt188.ANY_TYPE, cjt188.WILDCARD, cjt188.READ_ADDRESS, cjt188.ADDRESS_DI),
    ]
    return _meter(corpus, seal_cjt188, lambda data: _any(replies, data), inspect_cjt188.decode)


def _any(replies: "list[dlt645.Reply] | list[modbus.Reply] | list[cjt188.Reply]", data: bytes) -> bool:
    done = False
    for reply in replies:
        if reply(data):
            reply.payload(data)
            done = True
    return done


TARGETS: dict[str, Callable[[], Target]] = {
    "sparkplug": sparkplug,
    "mqtt": packets,
    "shapes": shapes,
    "host": host,
    "dlt645": meter_dlt645,
    "modbus": meter_modbus,
    "cjt188": meter_cjt188,
}
