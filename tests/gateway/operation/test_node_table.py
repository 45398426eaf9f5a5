"""/nodes: what intake knows, copied when asked; bounded; wired devices and faults beside Sparkplug nodes."""

import json

import pytest

from shutan_gateway.intake import node_table
from shutan_gateway.intake.node_faults import NodeFaults
from shutan_gateway.intake.node_table import NodeTable
from shutan_gateway.intake.sessions import Device, Node
from shutan_gateway.payload.definition import Definition


def device(heard_ms: int = 0, sample_ms: int = 0) -> Device:
    made = Device(1, Definition([]))
    made.heard_ms, made.sample_ms = heard_ms, sample_ms
    return made


def attached(count: int = 2) -> NodeTable:
    nodes: dict[tuple[str, str], Node] = {}
    for number in range(count):
        one = nodes["plant", f"n{number:02}"] = Node("plant", f"n{number:02}")
        one.online = number % 2 == 0
        one.devices = {"": device(), "m1": device(1000 + number, 900)}
    faults = NodeFaults()
    faults.note("plant", "n01", "sequence_gap", 3)
    faults.note("plant", "unknown", "topic")
    wired = [(("plant", "bus1", "w1"), device(5000, 4000)), (("plant", "bus1", "w2"), device())]
    table = NodeTable()
    table.attach(nodes, lambda: wired, faults)
    return table


def test_before_intake_runs_there_is_nothing() -> None:
    assert NodeTable().rows() == []


def test_rows_are_plain_and_sorted() -> None:
    rows = attached().rows()
    assert [(row["node"], row["source"], row["online"]) for row in rows] == [
        ("bus1", "offered", True),
        ("n00", "sparkplug", True),
        ("n01", "sparkplug", False),
    ]
    assert [found["device"] for found in rows[0]["devices"]] == ["w1", "w2"]
    assert rows[1]["devices"][1] == {"device": "m1", "stale": False, "heard_ms": 1000, "sample_ms": 900}
    assert rows[2].get("faults") == {"sequence_gap": 3}
    assert "faults" not in rows[1]
    assert json.loads(json.dumps(rows)) == rows


def test_rows_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node_table, "NODES", 10)
    monkeypatch.setattr(node_table, "DEVICES", 5)
    rows = attached(30).rows()
    assert len(rows) == 10
    assert sum(len(row["devices"]) for row in rows) == 5
