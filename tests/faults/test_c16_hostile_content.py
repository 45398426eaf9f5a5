"""C16 oversized and hostile content: too large, too deep, odd topics, NaN, and text that would be another line."""

import math
import random
from pathlib import Path

from faults.harness import Fault
from shutan_gateway.adapters.json_text import DEPTH_MAX, PAYLOAD_MAX, parse_json
from shutan_gateway.counters import Counters
from shutan_gateway.errors import Refusal
from shutan_gateway.quarantine import Item, Quarantine, items
from shutan_gateway.rows import Row
from shutan_gateway.stores.influxdb.line import LineEncoder, RowFault, device_of, name_of
from shutan_wire import datatypes as dt
from shutan_wire import mqtt
from shutan_wire.encode import encode_payload
from shutan_wire.errors import WireError
from shutan_wire.model import Metric, Payload
from support.host_rig import Rig
from support.line_parser import parse_lines
from support.sparkplug_node import T0_MS, Packet, SparkplugNode

LIMIT = 10_000
SEED = 16
TAGS = {"device", "node", "site"}
DATA = "spBv1.0/plant/NDATA/n01"


def nested(levels: int) -> bytes:
    """A metric with a Template in a Template in a Template, encoded from the inside out."""
    metric = b"\x0a\x01t\x20\x13"
    for _ in range(levels):
        template = b"\x12" + varint(len(metric)) + metric
        metric = b"\x0a\x01t\x20\x13\x92\x01" + varint(len(template)) + template
    return b"\x12" + varint(len(metric)) + metric


def varint(number: int) -> bytes:
    digits = bytearray()
    while number > 127:
        digits.append(number & 127 | 128)
        number >>= 7
    return bytes([*digits, number])


SOUND = encode_payload(Payload(T0_MS, [Metric("x", datatype=dt.INT32, value=1)], 1))
REFUSED: dict[str, tuple[str, bytes, str]] = {
    "data above the limit": (DATA, bytes(LIMIT + 1), "oversize"),
    "birth above the limit": ("spBv1.0/plant/NBIRTH/n01", SOUND * (LIMIT // len(SOUND) + 1), "oversize"),
    "nested 9 deep": (DATA, nested(9), "too_deep"),
    "nested 300 deep": (DATA, nested(300), "too_deep"),
    "length that lies": (DATA, b"\x12\xff\xff\xff\x7f", "too_long"),
    "a billion array elements": (DATA, b"\x12\x09\x0a\x01a\x20\x22\x82\x01\x04\xff\xff\xff\x7f", "too_long"),
    "metric name not in UTF-8": (DATA, b"\x12\x04\x0a\x02\xc3\x28", "bad_utf8"),
    "wildcard in the node": ("spBv1.0/plant/NDATA/+", SOUND, "topic"),
    "many levels": ("spBv1.0/" + "a/" * 3_000, SOUND, "topic"),
    "empty level": ("spBv1.0//NDATA/n01", SOUND, "topic"),
    "slash as device": ("spBv1.0/plant/NDATA/n01/", SOUND, "topic"),
    "NUL": ("spBv1.0/plant/NDATA/n\x0001", SOUND, "topic"),
    "line end": ("spBv1.0/plant/NDATA/n01\nenergy,node=x y=1i 1", SOUND, "topic"),
    "escape of a terminal": ("spBv1.0/plant/NDATA/\x1b[2J", SOUND, "topic"),
    "65,535 bytes": ("spBv1.0/plant/NDATA/" + "n" * 65_515, SOUND, "topic"),
    "256 bytes in one level": ("spBv1.0/plant/NDATA/" + "网" * 86, SOUND, "topic"),
    "another namespace": ("spAv1.0/plant/NDATA/n01", SOUND, "topic"),
    "command of a node": ("spBv1.0/plant/DATA/n01", SOUND, "topic"),
}
PACKETS = {  # what the broker must never send; the session ends with one line, the process does not
    "topic not in UTF-8": b"\x00\x02\xc3\x28x",
    "topic with a surrogate": b"\x00\x03\xed\xa0\x80x",
    "topic with NUL": b"\x00\x02a\x00x",
    "topic with a wildcard": b"\x00\x03a/#x",
    "topic beyond the packet": b"\xff\xffab",
    "no topic": b"\x00\x00x",
}
JSON = {
    "oversize": b"[" + b"1," * PAYLOAD_MAX + b"1]",
    "deep_json": b"[" * (DEPTH_MAX + 1) + b"]" * (DEPTH_MAX + 1),
    "nan": b'{"a": NaN}',
    "bad_utf8": b'{"a": "\xc3\x28"}',
    "bad_json": b"{'a': 1}",
    "duplicate_key": b'{"a": 1, "a": 2}',
    "long_number": b'{"a": 1e99999999999999999999}',
}
HOSTILE = [
    "x y=1i 1\nevil,node=a y=1i 1",
    "a,site=other",
    'a"b',
    'a\\"b',
    "a\\",
    "a\\\\",
    "=",
    ",",
    " ",
    "#a",
    "a\r\nb",
    "a\x00b",
    "'; DROP TABLE sample; --",
    '"; DROP TABLE sample; --',
    "%2D",
    "-",
    "../../etc/passwd",
    "${jndi:ldap://x}",
    "{{7*7}}",
    "<script>",
    "\u202egpj.exe",
    "a\u2028b",
    "n" * 300,
    "名 字",
]


def wrongly_taken(rig: Rig) -> list[str]:
    """Cases of the table that were not refused exactly once under their own name."""
    wrong: list[str] = []
    for name, (topic, payload, kind) in REFUSED.items():
        before, accepted = rig.faults().get(kind, 0), rig.balance()[3]
        rig.take((topic, payload))
        if rig.faults().get(kind, 0) != before + 1 or rig.balance()[3] != accepted:
            wrong.append(f"{name}: {rig.faults()}")
    for name, body in PACKETS.items():
        try:
            mqtt.parse_publish(0, body)
        except WireError:
            continue
        wrong.append(name)
    for kind, text in JSON.items():
        try:
            parse_json(text)
        except Refusal as refusal:
            if refusal.reason == kind:
                continue
        wrong.append(f"JSON {kind}")
    return wrong


def samples(rig: Rig) -> list[Row]:
    """Rows of everything that was accepted, as a delivery makes them."""
    schemas = {number: row for row, number in rig.registry.schemas.items()}
    decoder = rig.host.acceptor.decoder
    found: list[Row] = []
    for record in rig.records:
        site, node, device, text = schemas[record.schema_id]
        groups = decoder.decode(rig.host.shapes.definition(text), record.raw, record.received_ms, []).groups
        for family, t_ms, metrics, values, qualities in groups:
            place = (family, site, node, device, t_ms * 1_000_000 + record.sub_ns, record.record or None, 7)
            found.append(Row(*place, record.received_ms, metrics, values, qualities))
    return found


def not_numbers_stored(rig: Rig, node: SparkplugNode) -> int:
    """NaN and infinities among the samples; each is counted and marked bad instead."""
    sent = [math.nan, math.inf, -math.inf]
    before = rig.total("bad_values", cause="nan")
    for value in sent:
        rig.take(node.data(values={"active_energy_import_wh": 1, "active_power_w": value}))
    assert rig.total("bad_values", cause="nan") == before + len(sent)
    rows = samples(rig)
    assert sum("active_power_w" in dict(row.qualities) for row in rows) == len(sent)
    return sum(isinstance(value, float) and not math.isfinite(value) for row in rows for value in row.values)


def hostile(chance: random.Random) -> str:
    """A name or text that wants to be something else: one of the list, or two halves of it."""
    one, other = chance.choice(HOSTILE), chance.choice(HOSTILE)
    return one if chance.random() < 0.5 else one[: chance.randrange(len(one) + 1)] + other


def hostile_packets(chance: random.Random, site: str, name: str) -> list[Packet]:
    """Births and a data message of a foreign node; every text in it is hostile."""
    device = hostile(chance).replace("/", "_").replace("+", "_").replace("#", "_").replace("\0", "_")
    declared = {hostile(chance): dt.STRING, hostile(chance) + "1": dt.INT32}
    node = SparkplugNode(name, site, store=None, devices={device: declared})
    first, second = declared
    return [*node.births(), node.data(device, {first: hostile(chance), second: 5})]


def escapes(rows: list[Row]) -> int:
    """Rows whose line an independent reader does not read as that one row."""
    encoder = LineEncoder()
    escaped = 0
    for row in rows:
        try:
            points = parse_lines(encoder.line(row).decode())
        except RowFault:
            continue
        sound = len(points) == 1 and points[0].measurement == row.family and set(points[0].tags) == TAGS
        if sound:
            tags, fields = points[0].tags, {name_of(key): value for key, value in points[0].fields.items()}
            sound = (name_of(tags["site"]), name_of(tags["node"]), device_of(tags["device"])) == row[1:4]
            sound = sound and all(fields[key] == value for key, value in zip(row.metrics, row.values, strict=True))
        escaped += not sound
    return escaped


def test_c16_hostile_content(fault: Fault, tmp_path: Path) -> None:
    quarantine = Quarantine(tmp_path, Counters())
    rig, node = Rig(quarantine=quarantine, max_payload_bytes=LIMIT), SparkplugNode()
    rig.take(node.births())
    wrong = wrongly_taken(rig)
    quarantine.close()
    kept = {item.reason for item in items(tmp_path) if isinstance(item, Item)}
    assert kept == {kind for _, _, kind in REFUSED.values()}
    assert not wrong, wrong
    stored = not_numbers_stored(rig, node)
    nodes = fault.size(short=150, long=50_000)
    chance = random.Random(SEED)  # noqa: S311 - the same texts each time
    lines = escaped = refused_ids = 0
    for number in range(nodes):
        if number % 500 == 0:
            rig = Rig()
            fault.progress(f"node {number} of {nodes}, {escaped} escaped")
        site, name = (hostile(chance).replace("/", "_") for _ in range(2))
        faults = rig.faults().get("topic", 0)
        try:
            rig.take(hostile_packets(chance, site, name))
        except WireError:  # a sign that no topic can hold: the broker lets nobody publish it
            continue
        refused_ids += rig.faults().get("topic", 0) > faults
        rows = samples(rig)
        rig.records.clear()
        lines += len(rows)
        escaped += escapes(rows)
    assert lines > nodes // 4
    assert refused_ids > 0
    fault.record(
        "C16",
        measured={
            "table_cases": len(REFUSED) + len(PACKETS) + len(JSON),
            "not_refused_under_their_name": len(wrong),
            "not_a_number_stored": stored,
            "hostile_nodes": nodes,
            "lines": lines,
            "lines_that_became_something_else": escaped,
        },
        bar={
            "not_refused_under_their_name": "== 0",
            "not_a_number_stored": "== 0",
            "lines_that_became_something_else": "== 0",
        },
        long_bar={"hostile_nodes": ">= 50000"},
        note="each refused case is in quarantine; lines are read back by an independent reader",
    )
