"""History at the wire: the right numbers under the right record, whatever gets lost on the way."""

import asyncio
import sqlite3
import struct
from contextlib import closing
from pathlib import Path

import pytest

from shutan_sim import history
from shutan_sim.distillery.layout import LAYOUT
from shutan_sim.errors import HistoryError, SetupError
from shutan_sim.instruments.instrument import Instrument
from shutan_sim.local_time import DAY_MS
from shutan_sim.plant import distillery
from shutan_sim.records_of_history import NodeHistory, Span
from shutan_sim.truth import Truth
from shutan_wire import records
from shutan_wire.catalogue import by_name
from shutan_wire.decode import decode_payload
from shutan_wire.ids import parse_topic
from support.ack_host import AckHost, ack_host
from support.servers import Server, free_port

OPENED_MS = 1_774_972_800_000  # 2026-04-01 00:00 in Shanghai
START_MS = OPENED_MS + 3 * DAY_MS + 7 * 3_600_000
PLANT = distillery(2, OPENED_MS, days_kept=6)
SPAN = Span.before(START_MS, 1, 900)


def of_node(node: str, span: Span = SPAN, seed: int = 2) -> NodeHistory:
    return NodeHistory("jiuniang", node, [Instrument(d, PLANT) for d in LAYOUT.of_node(node)], span, seed)


def test_samples_lie_on_multiples_of_the_interval_and_end_before_live_begins() -> None:
    assert SPAN.count == 96
    assert SPAN.time_ms(SPAN.count - 1) == START_MS - 900_000
    assert [SPAN.time_ms(i) % 900_000 for i in range(96)] == [0] * 96
    odd = Span.before(START_MS + 1, 1, 900)
    assert odd.time_ms(95) == START_MS
    assert {odd.time_ms(i + 1) - odd.time_ms(i) for i in range(95)} == {900_000}


def test_births_declare_every_metric_with_the_aliases_of_the_node() -> None:
    node = of_node("n04")
    births = [(parse_topic(where), decode_payload(payload)) for where, payload in node.births(3, 0, START_MS)]
    assert [(kind, device) for (_, kind, _, device), _ in births] == [
        ("NBIRTH", None),
        ("DBIRTH", "m-dist1"),
        ("DBIRTH", "m-dist2"),
        ("DBIRTH", "m-cool"),
    ]
    assert [payload.seq for _, payload in births] == [0, 1, 2, 3]
    head = {metric.name: metric.value for metric in births[0][1].metrics}
    assert head[records.STORE_ID] == node.store_id
    assert (head[records.BDSEQ], head[records.STORE_FIRST], head[records.REBIRTH]) == (3, 1, False)
    aliases: set[int | None] = set()
    for index, (_, payload) in enumerate(births[1:], 1):
        for metric in payload.metrics:
            known = by_name(metric.name or "")
            assert metric.alias == index * 256 + (known.id if known else 0)
            assert metric.datatype == (known.datatype if known else 8)
            aliases.add(metric.alias)
    assert len(aliases) == 3 * 21


def test_records_carry_the_registers_of_their_moment() -> None:
    node = of_node("n04")
    instruments = [Instrument(device, PLANT) for device in LAYOUT.of_node("n04")]
    names = {
        metric.alias: metric.name or ""
        for _, payload in node.births(0, 0, START_MS)
        for metric in decode_payload(payload).metrics
    }
    for number in (1, 2, 3, 4, 150, node.total):
        where, payload = node.record(number, number & 255)
        instrument = instruments[(number - 1) % 3]
        t_ms = SPAN.time_ms((number - 1) // 3)
        decoded = decode_payload(payload)
        assert parse_topic(where)[3] == instrument.device.id
        assert decoded.seq == number & 255
        values = {names[metric.alias]: metric.value for metric in decoded.metrics}
        assert values.pop(records.RECORD) == number
        assert all(metric.is_historical and metric.timestamp == t_ms for metric in decoded.metrics)
        assert set(values) == set(instrument.device.metrics)
        for name, value in values.items():
            if name in instrument.registers:
                assert value == instrument.registers[name].value(t_ms)
            else:
                level = instrument.gauges.value(name, t_ms)
                assert value == struct.unpack("<f", struct.pack("<f", level))[0]


def test_the_same_history_is_the_same_store_and_another_one_is_not() -> None:
    assert of_node("n01").store_id == of_node("n01").store_id
    others = {of_node("n02").store_id, of_node("n01", seed=3).store_id}
    others.add(of_node("n01", Span.before(START_MS, 2, 900)).store_id)
    assert len(others | {of_node("n01").store_id}) == 4


def send(
    server: Server, folder: Path, nodes: list[str], lose: set[int] | None = None, at_ack: int = 0
) -> tuple[AckHost, int]:
    """Send some nodes' history to a host that loses each record of `lose` once."""
    left = {(node, number) for node in nodes for number in lose or ()}
    acknowledged = 0

    def is_lost(node: str, number: int) -> bool:
        gone = (node, number) in left
        left.discard((node, number))
        return gone

    async def run() -> AckHost:
        truth = Truth(folder)
        try:
            async with ack_host(server.port, is_lost) as host:
                target = history.Target(server.host, server.port, "jiuniang")

                def count(more: int) -> None:
                    nonlocal acknowledged
                    if acknowledged <= at_ack < acknowledged + more:
                        task = asyncio.get_running_loop().create_task(host.rebirth(nodes[0]))
                        task.add_done_callback(lambda done: done.result())
                    acknowledged += more

                await history.send(target, [of_node(node) for node in nodes], truth, count)
                return host
        finally:
            truth.close()

    return asyncio.run(run()), acknowledged


@pytest.mark.flow
def test_every_record_arrives_once_with_the_truth_of_its_register(mosquitto: Server, tmp_path: Path) -> None:
    host, acknowledged = send(mosquitto, tmp_path, ["n01", "n03"])
    totals = {"n01": 96, "n03": 192}
    for node, total in totals.items():
        assert sorted(host.records[node, host.stores[node]]) == list(range(1, total + 1))
    assert acknowledged == sum(totals.values())
    assert sorted(host.deaths) == ["n01", "n03"]
    with closing(sqlite3.connect(tmp_path / "truth.sqlite")) as db:
        served = {
            (meter, metric, ms): value
            for meter, metric, ms, value in db.execute("SELECT meter, metric, plant_ms, value FROM served")
        }
    meters = {"gas_volume_l": "g-boiler", "steam_heat_kj": "h-boiler"}
    compared = 0
    for node, total in totals.items():
        for number in range(1, total + 1):
            device, ms, values, historical = host.records[node, host.stores[node]][number]
            assert historical
            for name, value in values.items():
                key = (meters.get(name, device), name, ms)
                if key in served:
                    assert served[key] == value
                    compared += 1
    assert compared == len(served) > 500


@pytest.mark.flow
def test_lost_messages_are_sent_again(mosquitto: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "STALL_S", 0.3)
    monkeypatch.setattr(history, "WINDOW", 40)
    host, acknowledged = send(mosquitto, tmp_path, ["n01"], lose={1, 2, 50, 96})
    assert sorted(host.records["n01", host.stores["n01"]]) == list(range(1, 97))
    assert acknowledged == 96
    assert host.repeats > 0
    with closing(sqlite3.connect(tmp_path / "truth.sqlite")) as db:
        doubled = db.execute("SELECT 1 FROM served GROUP BY meter, metric, plant_ms HAVING count(*) > 1").fetchall()
    assert doubled == []


@pytest.mark.flow
def test_a_rebirth_command_is_answered_with_births(
    mosquitto: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "WINDOW", 20)
    host, _ = send(mosquitto, tmp_path, ["n01"], at_ack=10)
    assert host.births["n01"] >= 2
    assert sorted(host.records["n01", host.stores["n01"]]) == list(range(1, 97))


@pytest.mark.flow
def test_a_gateway_that_never_acknowledges_is_reported(
    mosquitto: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "STALL_S", 0.02)
    truth = Truth(tmp_path)
    target = history.Target(mosquitto.host, mosquitto.port, "jiuniang")
    with pytest.raises(HistoryError, match="n01: record 0 of 96 is the last one acknowledged"):
        asyncio.run(history.send(target, [of_node("n01")], truth, lambda _: None))
    truth.close()


def test_no_broker_is_one_clear_line(tmp_path: Path) -> None:
    truth = Truth(tmp_path)
    target = history.Target("127.0.0.1", free_port(), "jiuniang")
    with pytest.raises(SetupError, match="start the broker first"):
        asyncio.run(history.send(target, [of_node("n01")], truth, lambda _: None))
    truth.close()


@pytest.mark.flow
def test_a_history_that_the_gateway_has_is_not_sent_again_in_full(
    mosquitto: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "WINDOW", 8)

    async def run() -> tuple[int, int]:
        truth = Truth(tmp_path)
        target = history.Target(mosquitto.host, mosquitto.port, "jiuniang")
        async with ack_host(mosquitto.port) as host:
            for _ in range(2):
                await history.send(target, [of_node("n01")], truth, lambda _: None)
            truth.close()
            return host.repeats, len(host.stores)

    repeats, stores = asyncio.run(run())
    assert repeats < SPAN.count
    assert stores == 1
