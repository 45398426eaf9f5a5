"""The Sparkplug host: births, aliases, sequence, deaths, rebirths, bad input."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shutan_gateway.link.mailbox import LINK_UP
from shutan_gateway.spool.log import BIRTH, DATA
from shutan_wire import datatypes as dt
from shutan_wire import ids
from shutan_wire.encode import encode_payload
from shutan_wire.model import Metric, Payload
from support.host_rig import Rig
from support.sparkplug_node import T0_MS, SparkplugNode


def test_a_session_gives_records_with_schema_and_session() -> None:
    rig, node = Rig(), SparkplugNode()
    rig.take(node.births())
    assert rig.records == [], "a birth of a node with a store carries no samples"
    rig.take([node.data(), node.data()])
    assert [(r.kind, r.record, r.sub_ns) for r in rig.records] == [(DATA, 1, 0), (DATA, 2, 0)]
    schemas = {number: row for row, number in rig.registry.schemas.items()}
    assert schemas[rig.records[0].schema_id][:3] == ("plant", "n01", "m1")
    sessions = {number: row for row, number in rig.registry.sessions.items()}
    assert sessions[rig.records[0].session_id] == ("plant", "n01", node.store, node.boot)
    assert rig.upto(node) == 2
    assert rig.faults() == {}
    assert rig.total("values") == 4


def test_births_of_foreign_nodes_are_samples() -> None:
    rig, node = Rig(), SparkplugNode(store=None, node_metrics={"Make": dt.STRING})
    rig.take(node.births())
    assert [r.kind for r in rig.records] == [BIRTH, BIRTH]
    rig.take(node.data())
    assert rig.records[-1].kind == DATA
    assert rig.records[-1].record == 0
    assert rig.balance() == (3, 0, 0, 3)


def test_exact_repeat_of_a_foreign_sample_is_a_duplicate() -> None:
    rig, node = Rig(), SparkplugNode(store=None)
    rig.take(node.births())
    packet = node.data()
    rig.take([packet, packet])
    assert rig.balance() == (3, 1, 0, 2)


def test_data_before_birth_waits_and_is_taken_in_order() -> None:
    rig, node = Rig(), SparkplugNode()
    rig.take(node.births())
    rig.take((LINK_UP, b""))
    early = [node.data(), node.data("m1", stamp=T0_MS + 5), node.data()]
    rig.take(early)
    assert rig.records == []
    assert rig.balance()[0] == 0, "not decided yet"
    assert rig.host.held == 3
    assert rig.faults() == {"data_before_birth": 3}
    assert rig.tick(2.0) == ["n01"]
    rig.take(node.births())
    assert [r.record for r in rig.records] == [1, 2, 3]
    assert rig.host.held == 0
    assert rig.upto(node) == 3


def test_data_of_another_boot_does_not_wait_for_this_birth() -> None:
    """Its numbers may count in another store; the node sends again what is not acknowledged."""
    rig, node = Rig(), SparkplugNode()
    rig.take(node.births())
    rig.take((LINK_UP, b""))
    rig.take(node.data())
    rig.take(SparkplugNode(boot=99).births())
    assert rig.records == []
    assert rig.balance() == (1, 0, 1, 0)
    rig.take(node.data(record=1))
    assert rig.balance() == (2, 0, 1, 1)


@pytest.mark.parametrize("end", ["death", "link"])
def test_device_data_of_an_ended_session_is_given_up(end: str) -> None:
    rig, node = Rig(), SparkplugNode()
    rig.take(node.node_birth())
    rig.take(node.data())
    assert rig.host.held == 1
    rig.take(node.node_death() if end == "death" else (LINK_UP, b""))
    assert rig.host.held == 0
    rig.take(node.births())
    assert rig.balance() == (1, 0, 1, 0)


def test_data_that_waits_is_given_up_when_its_session_ended_or_time_is_over() -> None:
    rig, node = Rig(), SparkplugNode()
    rig.take([node.data(), node.data()])
    rig.take(node.node_death())
    assert rig.balance() == (2, 0, 2, 0)
    rig.take(node.data())
    rig.tick(3600)
    assert rig.balance() == (3, 0, 3, 0)
    assert rig.total("rejected", reason="data_before_birth") == 3
    rig.take([node.data() for _ in range(1000)])
    assert rig.host.held < 300, "bounded"
    assert rig.balance()[2] == 3 + 1000 - rig.host.held


def test_device_data_waits_for_the_device_birth() -> None:
    rig, node = Rig(), SparkplugNode()
    rig.take(node.node_birth())
    rig.take(node.data())
    assert rig.records == []
    rig.take(node.device_birth("m1"))
    assert [r.record for r in rig.records] == [1]


def test_sequence_gap_asks_for_a_rebirth_after_the_timer_and_discards_nothing() -> None:
    rig, node = Rig(reorder_s=2.0), SparkplugNode()
    rig.take(node.births())
    rig.take(node.data())
    node.seq += 1
    rig.take([node.data(), node.data()])
    assert rig.tick(1.9) == []
    assert rig.tick(0.2) + rig.tick(10.0) == ["n01"]
    assert rig.faults() == {"sequence_gap": 1}
    assert rig.balance() == (3, 0, 0, 3)


def test_reordered_messages_inside_the_timer_need_no_rebirth() -> None:
    rig, node = Rig(), SparkplugNode()
    rig.take(node.births())
    packets = [node.data() for _ in range(4)]
    rig.take([packets[0], packets[2], packets[3]])
    rig.now_s += 1.0
    rig.take(packets[1])
    assert rig.tick(60.0) == []
    assert rig.faults() == {}
    assert rig.upto(node) == 4


def test_sequence_goes_round_at_256() -> None:
    rig, node = Rig(), SparkplugNode()
    rig.take(node.births())
    rig.take([node.data() for _ in range(600)])
    assert rig.tick(60.0) == []
    assert rig.faults() == {}


def test_unknown_alias_rejects_the_numbered_record_and_asks_for_a_rebirth() -> None:
    rig, node = Rig(), SparkplugNode()
    rig.take(node.births())
    node.devices["m1"]["voltage_l1_v"] = dt.FLOAT
    packet = node.data(values={"voltage_l1_v": 230.0, "active_power_w": 1.0})
    rig.take(packet)
    assert rig.total("rejected", reason="unknown_alias") == 1
    assert rig.tick(10.0) == ["n01"]
    rig.take(node.births())
    rig.take(packet)
    assert rig.balance() == (2, 0, 1, 1), "nothing is lost: it comes again after the rebirth"


def test_unknown_alias_of_a_foreign_node_keeps_what_is_known() -> None:
    rig, node = Rig(), SparkplugNode(store=None)
    rig.take(node.births())
    node.devices["m1"]["voltage_l1_v"] = dt.FLOAT
    rig.take(node.data(values={"voltage_l1_v": 230.0, "active_power_w": 1.0}))
    rig.take(node.data(values={"voltage_l1_v": 230.0}))
    assert rig.balance() == (3, 0, 1, 2)
    assert rig.faults()["unknown_alias"] == 2


def test_metrics_under_another_name_than_in_the_birth_are_kept() -> None:
    rig, node = Rig(), SparkplugNode(store=None)
    rig.take(node.births())
    metric = Metric("Other/Temperature", timestamp=T0_MS + 1, datatype=dt.DOUBLE, value=20.5)
    rig.take((node.topic(ids.DDATA, "m1"), encode_payload(Payload(T0_MS, [metric], node.seq))))
    assert rig.faults() == {"unknown_metric": 1}
    assert rig.balance()[3] == 2


def test_late_will_of_an_older_session_is_ignored() -> None:
    rig, node = Rig(), SparkplugNode(bd_seq=4)
    rig.take(node.births())
    rig.take(node.node_death(bd_seq=3))
    assert rig.host.gauges()["online"] == 1
    rig.take(node.node_death())
    assert rig.host.gauges() == {"online": 0, "offline": 1, "stale": 2, "held": 0}
    assert rig.total("deaths") == 1
    rig.take(node.births())
    assert rig.host.gauges() == {"online": 1, "offline": 0, "stale": 0, "held": 0}


def test_device_death_marks_that_device_stale_until_it_speaks() -> None:
    rig, node = Rig(), SparkplugNode(devices={"m1": {"active_power_w": dt.FLOAT}, "m2": {"active_power_w": dt.FLOAT}})
    rig.take(node.births())
    rig.take(node.device_death("m2"))
    assert rig.host.gauges()["stale"] == 1
    rig.take(node.device_birth("m2"))
    assert rig.host.gauges()["stale"] == 0
    assert rig.faults() == {}, "DDEATH and DBIRTH count in the sequence"


def test_rebirth_requests_are_spread_and_limited_per_node() -> None:
    rig = Rig(rebirth_min_interval_s=5.0)
    nodes = [SparkplugNode(f"n{i:03d}") for i in range(200)]
    rig.take([packet for node in nodes for packet in (node.data(), node.data())])
    per_step = [len(rig.tick(0.1)) for _ in range(100)]
    assert sum(per_step) == 200
    assert max(per_step) < 40, "no storm"
    rig.take([node.data() for node in nodes])
    assert rig.tick(0.0) == []
    asked = Counter(name for _ in range(100) for name in rig.tick(0.2))
    assert set(asked.values()) == {1}


def test_a_new_session_with_the_broker_asks_every_node_again() -> None:
    """Births may have been missed meanwhile, so nothing is decoded by an old one."""
    rig, node = Rig(), SparkplugNode()
    rig.take(node.births())
    rig.take((LINK_UP, b""))
    rig.take(node.data())
    assert rig.records == []
    assert rig.tick(10.0) == ["n01"]
    rig.take(node.births())
    assert [r.record for r in rig.records] == [1]


@pytest.mark.parametrize(
    ("topic", "payload", "fault", "rejected"),
    [
        ("spBv1.0/plant/DDATA/n01/m1", b"\x12\xff", "truncated", 1),
        ("spBv1.0/plant/DDATA/n01/m1", bytes(1001), "oversize", 1),
        ("spBv1.0/plant/NBIRTH/n01", b"\xff\xff", "truncated", 0),
        ("spBv1.0/plant/DBIRTH/n01/m9", b"\xff\xff", "truncated", 0),
        ("spBv1.0/plant/NDEATH/n01", b"\xff\xff", "truncated", 0),
        ("spBv1.0/plant/NDEATH/n01", b"", "death_without_bdseq", 0),
        ("spBv1.0/plant/DDEATH/n01/m1", b"\x0b", "wire_type", 0),
        ("spBv1.0/plant/WHAT/n01", b"", "topic", 0),
        ("spBv1.0/plant/DDATA/n01", b"", "topic", 0),
        ("other/topic", b"", "topic", 0),
    ],
)
def test_bad_input_is_counted_and_harms_nothing(topic: str, payload: bytes, fault: str, rejected: int) -> None:
    rig, node = Rig(max_payload_bytes=1000), SparkplugNode()
    rig.take(node.births())
    rig.take([(topic, payload), (topic, payload)])
    assert rig.faults() == {fault: 2}
    assert rig.balance()[2] == 2 * rejected
    rig.take(node.data())
    assert rig.balance()[3] == 1
    assert rig.tick(60.0) == []


@given(st.binary(max_size=200), st.sampled_from(["NBIRTH", "NDATA", "NDEATH", "DBIRTH", "DDATA", "DDEATH"]))
def test_any_bytes_end_in_a_counter(payload: bytes, kind: str) -> None:
    rig, node = Rig(), SparkplugNode()
    rig.take(node.births())
    rig.take((node.topic(kind, "m1" if kind.startswith("D") else ""), payload))
    rig.balance()
