"""Refused input is counted under the name of its class and put into quarantine with its bytes."""

import json
from pathlib import Path
from typing import Any

import pytest

from shutan_gateway.counters import Counters
from shutan_gateway.errors import Refusal
from shutan_gateway.intake.host import HELD_S
from shutan_gateway.payload import malformed
from shutan_gateway.payload.decode import parse
from shutan_gateway.quarantine import Item, Quarantine, items, load
from shutan_wire.decode import decode_payload
from shutan_wire.errors import WireError
from support.host_rig import Rig
from support.sparkplug_node import SparkplugNode

VECTORS = Path(__file__).resolve().parents[1] / "vectors"
MALFORMED = [json.loads(line) for line in (VECTORS / "sparkplug_malformed.jsonl").read_text("utf-8").splitlines()]


@pytest.mark.parametrize("vector", MALFORMED, ids=[vector["name"] for vector in MALFORMED])
def test_every_malformed_payload_has_a_class(vector: dict[str, Any]) -> None:
    with pytest.raises(WireError) as caught:
        decode_payload(bytes.fromhex(vector["hex"]))
    assert malformed.kind_of(caught.value) in malformed.KINDS


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (b"\x08", "truncated"),
        (b"\x12\x05\x10\x01", "too_long"),
        (b"\x08" + b"\xff" * 9 + b"\x02", "bad_varint"),
        (b"\x0b", "wire_type"),
        (b"\x12\x03\x0a\x01\xff", "bad_utf8"),
        (b"\x00", "field_number"),
        (b"\x12\x05\x20\x01\x7a\x01x", "bad_value"),
        (b"\x08\x01" * 600, "oversize"),
    ],
)
def test_the_class_is_the_label(raw: bytes, kind: str) -> None:
    with pytest.raises(Refusal) as caught:
        parse(raw, 1000)
    assert caught.value.reason == kind


def test_a_reason_that_the_table_lacks_is_still_counted() -> None:
    assert malformed.kind_of(WireError("x", "new words")) == malformed.OTHER


def found(folder: Path) -> list[tuple[str, str, bytes]]:
    return [(item.reason, item.topic, load(folder, item.number)[1]) for item in items(folder) if isinstance(item, Item)]


def test_what_the_host_refuses_is_in_quarantine(tmp_path: Path) -> None:
    quarantine = Quarantine(tmp_path, Counters())
    rig, node = Rig(quarantine=quarantine), SparkplugNode()
    rig.take(node.births())
    early = SparkplugNode(name="n02")
    data = early.data()
    rig.take([
        ("spBv1.0/plant/DDATA/n01/m1", b"\x12\xff"),
        ("spBv1.0/plant/DBIRTH/n01/m9", b"\x0b"),
        ("spBv1.0/plant/WHAT/n01", b"x"),
        data,
    ])  # fmt: skip
    rig.tick(HELD_S + 1)
    quarantine.close()
    assert found(tmp_path) == [
        ("truncated", "spBv1.0/plant/DDATA/n01/m1", b"\x12\xff"),
        ("wire_type", "spBv1.0/plant/DBIRTH/n01/m9", b"\x0b"),
        ("topic", "spBv1.0/plant/WHAT/n01", b"x"),
        ("data_before_birth", *data),
    ]
    assert rig.balance()[2] == 2
