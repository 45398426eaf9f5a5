"""A spool full of undelivered records: gauges of the oldest go, counted and listed; registers and accounting stay."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shutan_gateway.counters import Counters
from shutan_gateway.errors import SpoolFull
from shutan_gateway.payload.decoder import Shapes
from shutan_gateway.payload.definition import birth_text
from shutan_gateway.registry.state import SchemaRow, SessionRow, State
from shutan_gateway.rows import RowReader
from shutan_gateway.spool.log import BIRTH, DATA, GAP, ORIGIN, Position, Spool, SpoolRecord
from shutan_gateway.spool.retention import Retention
from shutan_gateway.spool.view import records, segments
from shutan_gateway.upkeep.spool_status import status_of
from shutan_gateway.upkeep.thin import LIST, Thinner, without
from shutan_wire import datatypes as dt
from shutan_wire.decode import decode_payload
from shutan_wire.encode import encode_payload
from shutan_wire.model import Metric, Payload
from support.sparkplug_node import Scalar, SparkplugNode

SEGMENT = 65_536
GROUP = 12
GAUGES = [f"voltage_l{n}_v" for n in (1, 2, 3)] + [f"current_l{n}_a" for n in (1, 2, 3)] + ["active_power_w"]
DECLARED = {"active_energy_import_wh": dt.UINT64, "weather": dt.STRING, **dict.fromkeys(GAUGES, dt.FLOAT)}


class Plant:
    """A spool with room for four segments, and the registry that explains what is in it."""

    def __init__(self, folder: Path, *, thin: bool = True) -> None:
        self.counters = Counters()
        self.state = State.open(folder / "registry.sqlite")
        self.shapes = Shapes()
        self.node = SparkplugNode(devices={"m1": dict(DECLARED)})
        birth = decode_payload(self.node.device_birth("m1")[1])
        self.schema = self.state.schema_id(SchemaRow("plant", "n01", "m1", birth_text(birth.metrics)))
        self.session = self.state.session_id(SessionRow("plant", "n01", 7, 8))
        self.state.flush()
        self.folder = folder / "spool"
        thinner = Thinner(self.state, self.shapes, self.counters) if thin else None
        self.spool = Spool.open(
            self.folder,
            segment_bytes=SEGMENT,
            max_bytes=4 * SEGMENT,
            counters=self.counters,
            retention=Retention(7 * 86_400, thinner=thinner),
        )
        self.accepted = 0

    def record(self, number: int) -> SpoolRecord:
        values: dict[str, Scalar] = {
            "active_energy_import_wh": 2**53 + number,
            "weather": "fair",
            **dict.fromkeys(GAUGES, number / 2),
        }
        raw = self.node.data("m1", values, record=number)[1]
        return SpoolRecord(DATA, self.schema, self.session, number, 1_795_000_000_000 + number, 0, raw)

    def accept(self, count: int) -> list[Position]:
        """Records in groups, until so many or the spool is full; the positions between the groups."""
        positions: list[Position] = []
        for _ in range(count // GROUP):
            made = [self.record(self.accepted + n) for n in range(1, GROUP + 1)]
            self.spool.append_batch(made)
            positions.append(self.spool.sync())
            self.accepted += GROUP
        return positions

    def fill(self) -> list[Position]:
        positions: list[Position] = []
        while True:
            try:
                positions += self.accept(GROUP)
            except SpoolFull:
                self.spool.discard_unsynced()
                return positions

    def everything(self, position: Position = ORIGIN, step: int = 1) -> list[SpoolRecord]:
        found: list[SpoolRecord] = []
        while position.ordinal < self.spool.end.ordinal:
            taken, after = self.spool.read(position, step)
            assert after.ordinal - position.ordinal == len(taken), "nothing is lost"
            found += taken
            position = after
        return found

    def close(self) -> None:
        self.spool.close()
        self.state.close()


@pytest.fixture
def plant(tmp_path: Path) -> Iterator[Plant]:
    made = Plant(tmp_path)
    yield made
    made.close()


def test_without_the_wish_the_spool_stops(tmp_path: Path) -> None:
    plant = Plant(tmp_path, thin=False)
    plant.fill()
    assert len(plant.everything(step=10**9)) == plant.accepted
    assert plant.counters.get("shutan_spool_thinned_total") == 0
    plant.close()


def test_gauges_of_the_oldest_go_and_registers_stay(plant: Plant) -> None:
    plant.fill()
    found = plant.everything(step=10**9)
    assert [record.record for record in found] == list(range(1, plant.accepted + 1))
    reader = RowReader(plant.state, plant.shapes)
    kept = 0
    for record in found:
        rows = {row.family: dict(zip(row.metrics, row.values, strict=True)) for row in reader.rows(record)}
        assert rows["energy"]["active_energy_import_wh"] == 2**53 + record.record
        assert rows["unmapped"] == {"weather_s": "fair"}
        gauges = rows["energy"].keys() - {"active_energy_import_wh"}
        assert gauges in (set(), set(GAUGES))
        kept += len(gauges)
    dropped = len(GAUGES) * plant.accepted - kept
    assert dropped > 0
    assert plant.counters.get("shutan_spool_thinned_total") == dropped
    listed = [json.loads(line) for line in (plant.folder / LIST).read_text().splitlines()]
    assert sum(entry["values"] for entry in listed) == dropped
    status = status_of(plant.folder.parent, 4 * SEGMENT, ["local"])
    assert (status.thinned_values, status.end) == (dropped, plant.accepted)
    assert [entry["segment"] for entry in listed] == list(range(1, len(listed) + 1)), "the oldest first"
    assert all(entry["bytes"][1] < entry["bytes"][0] * 0.7 for entry in listed)
    assert plant.spool.held_bytes <= 4 * SEGMENT


def test_a_position_from_before_still_leads_to_its_record(plant: Plant) -> None:
    positions = [ORIGIN, *plant.fill()]
    everything = plant.everything()
    for position in positions[:: max(1, len(positions) // 50)]:
        taken, after = plant.spool.read(position, 2_000)
        assert taken == everything[position.ordinal : position.ordinal + len(taken)]
        assert after.ordinal == position.ordinal + len(taken)
        (here,) = [one for one in segments(plant.folder) if one.number == position.segment] or [None]
        if here is not None and position.ordinal < plant.accepted:
            seen = [taken.ordinal for taken in records(here, position.offset, position.ordinal)]
            assert seen[:1] in ([], [position.ordinal])
    assert plant.counters.get("shutan_spool_damaged_total") == 0


def test_a_thinned_spool_opens_again_and_what_is_delivered_makes_room(plant: Plant) -> None:
    plant.fill()
    before = plant.everything()
    plant.spool.close()
    plant.spool = Spool.open(
        plant.folder, segment_bytes=SEGMENT, max_bytes=4 * SEGMENT, counters=plant.counters, retention=Retention()
    )
    assert plant.everything() == before
    with pytest.raises(SpoolFull):
        plant.accept(10_000)
    plant.spool.discard_unsynced()
    plant.spool.drop_below(plant.spool.end)
    plant.accept(300)


def test_a_damaged_segment_and_one_without_a_birth_are_left_alone(plant: Plant) -> None:
    plant.accept(600)
    first, second, *_ = sorted(plant.folder.glob("*.seg"))
    data = bytearray(first.read_bytes())
    data[len(data) // 2] ^= 1
    first.write_bytes(data)
    plant.fill()
    assert first.read_bytes() == bytes(data)
    listed = [json.loads(line) for line in (plant.folder / LIST).read_text().splitlines()]
    assert listed[0]["segment"] == int(second.stem)
    unknown = Thinner(State.open(plant.folder / "other.sqlite"), Shapes(), Counters())
    assert unknown.thin(plant.spool._segments) is None  # pyright: ignore[reportPrivateUsage] - what it holds
    unknown._state.close()  # pyright: ignore[reportPrivateUsage] - opened here


def test_births_and_gaps_stay_whole(plant: Plant) -> None:
    thinner = Thinner(plant.state, plant.shapes, plant.counters)
    for kind in (BIRTH, GAP):
        record = plant.record(1)._replace(kind=kind)
        assert thinner._record(record) == (record, 0)  # pyright: ignore[reportPrivateUsage] - one record by itself


def metric(name: str | None, alias: int | None) -> Metric:
    return Metric(name, alias, 1_795_000_000_000, dt.FLOAT, 1.5)


@given(st.lists(st.tuples(st.sampled_from(["a", "b", None]), st.sampled_from([1, 2, 300, None])), max_size=8))
def test_only_the_named_metrics_go_and_all_else_stays(pairs: list[tuple[str | None, int | None]]) -> None:
    metrics = [metric(name, alias) for name, alias in pairs]
    raw = encode_payload(Payload(5, metrics, 9))
    thinned, dropped = without(raw, frozenset({300}), frozenset({b"b"}))
    # An alias decides where there is one before the name; the encoder writes the name first.
    left = [one for one in metrics if one.name != "b" and one.alias != 300]
    assert decode_payload(thinned) == decode_payload(encode_payload(Payload(5, left, 9)))
    assert dropped == len(metrics) - len(left)


@given(st.binary(max_size=60))
def test_what_cannot_be_walked_comes_back_whole(raw: bytes) -> None:
    thinned, dropped = without(raw, frozenset(range(10)), frozenset())
    assert thinned == raw or dropped
