"""The record protocol at the host: repeats, watermarks, gaps, conflicts, and totals that add up."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shutan_gateway.spool.log import GAP
from support.host_rig import Rig
from support.sparkplug_node import T0_MS, SparkplugNode


def test_repeats_are_counted_and_acknowledged_again() -> None:
    rig, node = Rig(), SparkplugNode()
    rig.take(node.births())
    rig.take([node.data() for _ in range(3)])
    rig.host.acceptor.due.clear()
    rig.take(node.data(record=2, historical=True))
    assert rig.balance() == (4, 1, 0, 3)
    assert len(rig.host.acceptor.due) == 1


def test_a_lost_middle_record_holds_the_watermark_back() -> None:
    rig, node = Rig(), SparkplugNode()
    rig.take(node.births())
    rig.take([node.data(record=1), node.data(record=3), node.data(record=4)])
    assert rig.upto(node) == 1
    rig.take(node.data(record=2, historical=True))
    assert rig.upto(node) == 4


def test_store_first_closes_what_will_never_come() -> None:
    rig, node = Rig(), SparkplugNode()
    rig.take(node.births())
    rig.take([node.data(record=1), node.data(record=2), node.data(record=5)])
    node.first = 8
    rig.take(node.births())
    assert rig.upto(node) == 7
    assert rig.total("gap_overwritten") == 4, "3, 4, 6, 7 never came"
    rig.take(node.births())
    assert rig.total("gap_overwritten") == 4
    assert rig.balance() == (3, 0, 0, 3)


def test_an_absurd_store_first_closes_nothing() -> None:
    rig, node = Rig(), SparkplugNode(first=2**64 - 1)
    rig.take(node.births())
    assert rig.faults() == {"store_first": 1}
    rig.take(node.data())
    assert (rig.balance()[3], rig.upto(node)) == (1, 1)


def test_a_store_met_in_mid_life_starts_at_its_first_record() -> None:
    rig, node = Rig(), SparkplugNode(first=1000)
    rig.take(node.births())
    assert rig.upto(node) == 999
    assert rig.total("gap_overwritten") == 0, "an earlier gateway may have them"
    rig.take(node.gap(900, 999, unsaved=False, record=1001))
    assert rig.total("gap_overwritten") == 100, "the node says that nobody has them"


def test_gap_records_close_numbers_and_count_by_cause() -> None:
    rig, node = Rig(), SparkplugNode()
    rig.take(node.births())
    rig.take([node.data(record=1), node.data(record=4)])
    rig.take(node.gap(2, 5, unsaved=True, record=6))
    assert rig.upto(node) == 6
    assert rig.total("gap_unsaved") == 3, "2, 3, 5"
    assert rig.records[-1].kind == GAP
    rig.take(node.gap(2, 5, unsaved=True, record=6))
    assert rig.total("gap_unsaved") == 3
    assert rig.balance() == (4, 1, 0, 3)


@pytest.mark.parametrize(("first", "last"), [(0, 2), (5, 4), (2, 9), (1, 2**63 - 1)])
def test_an_absurd_gap_is_refused(first: int, last: int) -> None:
    rig, node = Rig(), SparkplugNode()
    rig.take(node.births())
    rig.take(node.gap(first, last, unsaved=False, record=9))
    assert rig.total("rejected", reason="record_protocol") == 1
    assert rig.upto(node) == 0


def test_a_formatted_ring_is_another_store() -> None:
    rig, node = Rig(), SparkplugNode()
    rig.take(node.births())
    rig.take([node.data(), node.data()])
    fresh = SparkplugNode(store=0x1234, bd_seq=1)
    rig.take(fresh.births())
    rig.take(fresh.data(stamp=T0_MS + 900_000))
    assert rig.balance() == (3, 0, 0, 3)
    assert (rig.upto(node), rig.upto(fresh)) == (2, 1)


def test_same_time_with_other_values_is_kept_beside_the_first() -> None:
    rig, node = Rig(), SparkplugNode()
    rig.take(node.births())
    for power in (1.0, 2.0, 1.0, 3.0):
        rig.take(node.data(values={"active_power_w": power}, stamp=T0_MS))
    assert [r.sub_ns for r in rig.records] == [0, 1, 0, 2]
    assert rig.total("conflicts") == 2
    rig.take(node.data(values={"active_energy_import_wh": 5}, stamp=T0_MS))
    assert rig.records[-1].sub_ns == 0, "other metrics at the same time are no conflict"


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_totals_are_conserved_under_split_reorder_and_duplication(data: st.DataObject) -> None:
    """Any order, any repeats, any rebirths between: every record is on disk once, and the numbers add up."""
    node = SparkplugNode()
    births = node.births()
    sent = [node.data() for _ in range(data.draw(st.integers(1, 12)))]
    repeats = data.draw(st.lists(st.sampled_from(sent), max_size=12))
    order = data.draw(st.permutations([*sent, *repeats]))
    rig = Rig()
    rig.take(births)
    for packet in order:
        if data.draw(st.integers(0, 6)) == 0:
            rig.take(births)
        rig.take(packet)
    received, duplicates, rejected, accepted = rig.balance()
    assert (received, duplicates, rejected) == (len(order), len(repeats), 0)
    assert sorted(r.record for r in rig.records) == list(range(1, len(sent) + 1))
    assert accepted == len(sent)
    assert rig.upto(node) == len(sent)
    assert {r.raw for r in rig.records} == {payload for _, payload in sent}
