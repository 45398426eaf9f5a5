"""Intake on real files: nothing is acknowledged before it is durable, and no end of the process is felt by a node.

The process "dies" here by being left behind: its folder is copied as it stands, without closing anything. The same with
a real process and SIGKILL is in test_service_faults.py.
"""

import errno
import itertools
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shutan_gateway.rows import Row, RowReader
from shutan_gateway.spool.log import ORIGIN
from shutan_wire.decode import decode_payload
from support.intake_life import FailingDisk, Life
from support.servers import wait_until
from support.sparkplug_node import T0_MS, Packet, SparkplugNode


def test_rows_carry_everything_a_store_needs(tmp_path: Path) -> None:
    life, node = Life(tmp_path / "a"), SparkplugNode(boot=2**64 - 2)
    life.take(node.births())
    life.take([node.data()])
    assert life.rows() == [
        Row(
            family="energy",
            site="plant",
            node="n01",
            device="m1",
            t_ns=(T0_MS + 1000) * 1_000_000,
            record=1,
            boot=2**64 - 2,
            received_ms=T0_MS,
            metrics=("active_energy_import_wh", "active_power_w"),
            values=(1001, 2.5),
            qualities=(),
        )
    ]
    foreign = SparkplugNode("f1", store=None)
    life.take([*foreign.births(), foreign.data()])
    assert [(row.record, row.boot) for row in life.rows()[1:]] == [(None, None)] * 2
    life.close()


def test_what_intake_has_just_decoded_is_not_decoded_again_and_the_same(tmp_path: Path) -> None:
    life, node = Life(tmp_path / "a"), SparkplugNode()
    recent = life.shapes.recent
    assert recent is not None
    recent.passed("store", 0)
    for _ in range(10):
        life.take([*node.births(), *(node.data() for _ in range(100))])
    reader, position, rows = RowReader(life.state, life.shapes), ORIGIN, list[Row]()
    while (taken := recent.after(position, 20_000)) is not None:
        assert taken.samples is not None
        for record, samples in zip(taken.records, taken.samples, strict=True):
            rows += reader.rows_of(record, samples)
        position = taken.end
    assert position == life.spool.end
    assert rows == life.rows()
    assert reader.decoded == 0
    recent.passed("store", position.ordinal)
    assert recent.after(ORIGIN, 20_000) is None, "what every delivery has is given up"
    life.close()


def test_acknowledgements_are_contiguous_batched_and_limited(tmp_path: Path) -> None:
    life, node = Life(tmp_path / "a", ack_interval_s=60.0), SparkplugNode()
    life.take(node.births())
    assert life.broker.acks == [("spBv1.0/plant/NCMD/n01", node.store, 0)], "a node that comes back hears where it is"
    life.take([node.data(record=1), node.data(record=2), node.data(record=4)])
    assert len(life.broker.acks) == 1, "at most one per interval"
    life.close()
    life = Life(tmp_path / "b")
    life.take(node.births())
    life.take([node.data(record=1), node.data(record=3)])
    wait_until(lambda: life.take([]) and life.broker.acked == 1, 30, "the first contiguous record")
    life.take([node.data(record=2)])
    wait_until(lambda: life.take([]) and life.broker.acked == 3, 30, "the gap closed")
    assert [upto for _, _, upto in life.broker.acks] == [0, 1, 3]
    life.close()


def test_no_acknowledgement_while_there_is_no_link(tmp_path: Path) -> None:
    life, node = Life(tmp_path / "a"), SparkplugNode()
    life.broker.up = False
    life.take([*node.births(), node.data()])
    assert life.broker.acks == []
    life.broker.up = True
    life.take([])
    assert life.broker.acked == 1
    life.close()


@pytest.mark.fault
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_kill_at_any_moment_keeps_acknowledged_and_dedup_is_exact(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("kills") / "life0"
    node = SparkplugNode()
    sent: dict[int, Packet] = {}
    acked = 0
    for number in range(1, data.draw(st.integers(2, 5))):
        life = Life(folder, checkpoint_interval_s=0.1)
        life.take(node.births())
        for _ in range(data.draw(st.integers(0, 4))):
            fresh = [node.data() for _ in range(data.draw(st.integers(0, 5)))]
            sent |= {decoded_record(packet): packet for packet in fresh}
            again = data.draw(st.lists(st.sampled_from(sorted(sent)), max_size=4)) if sent else []
            life.take([*fresh, *(sent[n] for n in again)])
            if data.draw(st.booleans()):
                life.intake.checkpoint()
        life.balance()
        acked = max(acked, life.broker.acked)
        folder = life.die(number)
    life = Life(folder)
    before = life.balance()
    life.take(node.births())
    life.take(list(sent.values()))
    assert life.balance() == (before[0] + len(sent), before[1] + len(sent), before[2], before[3]), "all known"
    assert sorted(r.record for r in life.records()) == sorted(sent)
    assert acked <= len(sent)
    life.close()


def decoded_record(packet: Packet) -> int:
    value = decode_payload(packet[1]).metrics[0].value
    assert isinstance(value, int)
    return value


@pytest.mark.fault
def test_a_redelivered_record_has_the_same_time_after_a_restart(tmp_path: Path) -> None:
    """Conflict digits are decided once; a later value at a time from before the restart is still seen as a conflict."""
    life, node = Life(tmp_path / "life0"), SparkplugNode()
    life.take(node.births())
    for power in (1.0, 2.0, 3.0):
        life.take([node.data(values={"active_power_w": power}, stamp=T0_MS)])
    before = life.rows()
    assert [row.t_ns - T0_MS * 1_000_000 for row in before] == [0, 1, 2]
    life = Life(life.die(1))
    assert life.rows() == before
    assert life.counters.get("shutan_conflicts_total") == 2
    life.take(node.births())
    life.take([node.data(values={"active_power_w": 4.0}, stamp=T0_MS)])
    assert [row.t_ns - T0_MS * 1_000_000 for row in life.rows()] == [0, 1, 2, 3]
    life.close()


@pytest.mark.fault
def test_gap_totals_survive_a_kill(tmp_path: Path) -> None:
    life, node = Life(tmp_path / "life0"), SparkplugNode()
    life.take(node.births())
    life.take([node.data(record=1), node.gap(2, 4, unsaved=True, record=5), node.gap(3, 6, unsaved=False, record=8)])
    life = Life(life.die(1))
    assert life.counters.get("shutan_gap_unsaved_total") == 3
    assert life.counters.get("shutan_gap_overwritten_total") == 1, "6; 5 is here"
    life.take([*node.births(), node.data(record=7)])
    assert life.broker.acked == 8
    life.close()


@pytest.mark.fault
@pytest.mark.parametrize(("step", "code"), [("sync", errno.EIO), ("write", errno.EIO), ("write", errno.ENOSPC)])
def test_disk_error_is_never_acknowledged_and_heals(tmp_path: Path, step: str, code: int) -> None:
    disk = FailingDisk()
    life, node = Life(tmp_path / "life0", disk), SparkplugNode()
    life.take(node.births())
    life.take([node.data(), node.data()])
    disk.broken[step] = code
    worker = threading.Thread(target=lambda: life.take([node.data(), node.data()]))
    worker.start()
    wait_until(lambda: life.counters.total("shutan_spool_errors_total") > 1, 30, "the second attempt")
    kind = "full" if code == errno.ENOSPC else step
    assert life.counters.get("shutan_spool_errors_total", kind=kind) > 0
    assert life.counters.get("shutan_spool_blocked") == 1
    assert life.balance() == (2, 0, 0, 2)
    assert life.broker.acked <= 2
    disk.broken.clear()
    worker.join(30)
    assert not worker.is_alive()
    assert life.counters.get("shutan_spool_blocked") == 0
    life.take([])
    assert life.balance() == (4, 0, 0, 4)
    life = Life(life.die(1))
    assert [r.record for r in life.records()] == [1, 2, 3, 4]
    life.close()


@pytest.mark.fault
def test_stopped_while_the_disk_refuses_saves_nothing_that_is_not_there(tmp_path: Path) -> None:
    disk = FailingDisk()
    life, node = Life(tmp_path / "life0", disk), SparkplugNode()
    life.take([*node.births(), node.data()])
    disk.broken["write"] = errno.ENOSPC
    life.stop.set()
    assert not life.take([node.data(), node.data()])
    disk.broken.clear()
    life = Life(life.die(1))
    assert [r.record for r in life.records()] == [1]
    life.take([*node.births(), node.data(record=2), node.data(record=3)])
    assert life.balance()[3] == 3
    life.close()


def test_delivered_segments_go_and_the_rest_stays(tmp_path: Path) -> None:
    life, node = Life(tmp_path / "a", checkpoint_interval_s=0.1), SparkplugNode()
    life.state.add_store("one", life.spool.first)
    life.state.add_store("two", life.spool.first)
    life.take(node.births())
    for _ in range(40):
        life.take([node.data() for _ in range(60)])
    segments = len(list((life.folder / "spool").glob("*.seg")))
    assert segments > 3
    end = life.spool.end
    life.state.commit_delivery("one", end, stored=end.ordinal, dead=0)
    life.intake.checkpoint()
    assert len(list((life.folder / "spool").glob("*.seg"))) == segments, "store two has nothing yet"
    life.state.commit_delivery("two", end, stored=end.ordinal, dead=0)
    life.intake.checkpoint()
    assert len(list((life.folder / "spool").glob("*.seg"))) == 2, "the newest and one for the conflict rule"
    life.close()


def test_births_are_on_disk_before_the_records_that_need_them(tmp_path: Path) -> None:
    life = Life(tmp_path / "life0")
    nodes = [SparkplugNode(f"n{i}", store=i + 1) for i in range(5)]
    life.take(list(itertools.chain.from_iterable([*node.births(), node.data()] for node in nodes)))
    life = Life(life.die(1))
    assert sorted(row.node for row in life.rows()) == ["n0", "n1", "n2", "n3", "n4"]
    life.close()


def test_known_nodes_are_asked_for_their_births_at_the_start(tmp_path: Path) -> None:
    life, node = Life(tmp_path / "life0"), SparkplugNode()
    life.take([*node.births(), node.data()])
    life = Life(life.die(1), rebirth_min_interval_s=0.1)
    wait_until(lambda: life.take([]) and bool(life.broker.rebirths), 30, "a rebirth command")
    assert life.broker.rebirths == ["spBv1.0/plant/NCMD/n01"]
    life.close()
