"""One set of behaviours over every store: SQLite, files, InfluxDB 1.6 and 3 (as documented), VictoriaMetrics (v2 API).

InfluxDB 2.x joins where there is one (support/influxdb2.py); the "not run" line at the end says when there is none.
"""

import contextlib
import math
import random
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from shutan_gateway.stores import STORES
from shutan_gateway.stores.base import Written
from support import influxdb2
from support.store_rigs import InfluxRig, Rig, SqliteRig, VictoriaRig, holds
from support.store_rigs_more import FilesRig, Influx2Rig, Influx3Rig
from support.store_rows import SECOND_NS, row, series

RIGS = (
    "sqlite",
    "files",
    "influxdb 1.6",
    "influxdb 1.6 gzip",
    "influxdb 3 as documented",
    "victoria-metrics",
    *(["influxdb 2"] if influxdb2.is_here() else []),
)


@pytest.fixture(params=RIGS)
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    name = str(request.param)
    with contextlib.ExitStack() as ends:
        made: Rig
        if name == "sqlite":
            made = SqliteRig(tmp_path)
        elif name == "files":
            made = FilesRig(tmp_path)
        elif name == "victoria-metrics":
            made = VictoriaRig(request.getfixturevalue("victoria_metrics"))
        elif name.startswith("influxdb 3"):
            made = Influx3Rig(tmp_path)
            ends.callback(made.end)
        elif name == "influxdb 2":
            made = Influx2Rig(ends.enter_context(influxdb2.running(tmp_path)), tmp_path)
        else:
            gzip = name.endswith("gzip")
            made = InfluxRig(request.getfixturevalue("influxd"), request.getfixturevalue("influx_database"), gzip=gzip)
        yield made
        made.store.close()


def test_every_kind_of_store_is_under_test() -> None:
    assert {name.split()[0] for name in RIGS} - {"victoria-metrics"} == set(STORES)


def test_rows_come_back_as_they_were_written(rig: Rig) -> None:
    rows = [
        row({"active_energy_import_wh": 2**40, "active_power_w": 230.10000610351562, "on_b": True}),
        row({"active_energy_import_wh": 0, "active_power_w": -0.5, "on_b": False}, at=SECOND_NS),
        row({"tank_level_f": 1e-7, "pressure_f": 1.5e16, "phase_i": -5}, device="tank 7"),
        row({"uptime_s": 77, "heap_free_b": 40_000}, device="", family="node"),
        row({"co2_ppm": 415.0}, family="environment", record=None, boot=None),
        row({"state_s": 'läuft, "ok"\n\\ 正常'}, family="equipment"),
    ]
    assert rig.store.write(rows) == Written(len(rows))
    assert holds(rig, rows)


def test_nothing_to_write_is_written(rig: Rig) -> None:
    assert rig.store.write([]) == Written(0)


def test_a_repeat_changes_nothing(rig: Rig) -> None:
    rows = series(300)
    for _ in range(3):
        assert rig.store.write(rows) == Written(300)
    rig.reopen()
    assert rig.store.write(rows[100:200]) == Written(100)
    assert holds(rig, rows)


def test_integers_are_exact_as_far_as_the_store_promises(rig: Rig) -> None:
    numbers = [0, 1, 2**31, 2**53, 2**53 + 1, 2**62, 2**62 + 1, 2**63 - 1, -1, -(2**53) - 1, -(2**63)]
    rows = [row({"total_i": number, "n_i": n}, at=n * SECOND_NS) for n, number in enumerate(numbers)]
    assert rig.store.write(rows) == Written(len(rows))
    assert holds(rig, rows)
    exact = sum(rig.smallest_int <= number <= rig.largest_int for number in numbers)
    assert exact + rig.counters.total("shutan_store_omitted_values_total") == len(numbers)


def test_float32_values_keep_every_bit(rig: Rig) -> None:
    dice = random.Random(5)  # noqa: S311 - test data that comes out the same each time
    # A mirror keeps a block of a series at one decimal exponent: exact among values of one size only.
    sizes = [dice.randint(-6, 8) if rig.judges else 2 for _ in range(500)]
    values = [struct.unpack("<f", struct.pack("<f", dice.uniform(1, 9) * 10**size))[0] for size in sizes]
    rows = [row({"active_power_w": value, "other_w": 1.0}, at=n * SECOND_NS) for n, value in enumerate(values)]
    assert rig.store.write(rows) == Written(len(rows))
    assert holds(rig, rows)


def test_later_parts_of_a_sample_fill_its_fields(rig: Rig) -> None:
    first = row({"voltage_l1_v": 230.5, "active_power_w": 1.5}, record=4)
    second = row({"voltage_l2_v": 231.5}, record=4)
    third = row({"voltage_l3_v": 232.5, "active_power_w": 1.5}, record=4)
    assert rig.store.write([first, second]) == Written(2)
    assert rig.store.write([third]) == Written(1)
    assert rig.store.write([second, first, third]) == Written(3)
    assert holds(rig, [first, second, third])


def test_qualities_stand_beside_their_values(rig: Rig) -> None:
    rows = [
        row({"voltage_l1_v": 230.5, "voltage_l2_v": 7.5}, qualities={"voltage_l2_v": 0}),
        row({"voltage_l1_v": 230.5, "voltage_l2_v": 231.5}, at=SECOND_NS),
        row({"voltage_l1_v": 230.5}, at=2 * SECOND_NS, qualities={"voltage_l2_v": 500}),
    ]
    assert rig.store.write(rows) == Written(3)
    assert rig.store.write(rows) == Written(3)
    assert holds(rig, rows)


@pytest.mark.parametrize(
    "name",
    [
        "Line 1",
        "a,b",
        "a=b",
        'inch 2"',
        "back\\slash",
        "end\\",
        "\\,",
        "new\nline",
        "温度计",
        "%41",
        "a%",
        "é",
        "-",
        "#x",
        "'",
        "`",
    ],
)
def test_hostile_names_stay_names(rig: Rig, name: str) -> None:
    rows = [
        row({"x_f": 1.5, f"{name}_f": 2.5}, device=name),
        row({"x_f": 2.5}, device=f"{name}2"),
        row({"x_f": 3.5}, node=name, device=""),
    ]
    if "\\" in name or '"' in name:
        rows.append(row({"x_f": 4.5}, site=name))
    assert rig.store.write(rows) == Written(len(rows))
    assert holds(rig, rows)


def test_rows_that_no_store_takes_are_named_and_the_others_are_stored(rig: Rig) -> None:
    good = series(6)
    bad = [
        row({"x_f": math.nan}, device="b1"),
        row({"x_i": 2**63}, device="b2"),
        row({"time": 1}, device="b3"),
        row({}, device="b4"),
    ]
    offered = [good[0], bad[0], good[1], bad[1], good[2], good[3], bad[2], bad[3], good[4], good[5]]
    written = rig.store.write(offered)
    assert written.accepted == len(offered)
    assert [entry.index for entry in written.rejected] == [1, 3, 6, 7]
    assert [entry.reason.partition(":")[0] for entry in written.rejected] == ["number", "range", "name", "empty"]
    assert holds(rig, good)
    assert rig.read(bad[0]) == {}


def test_one_row_of_another_type_among_5000_is_refused_alone(rig: Rig) -> None:
    rows = series(5000)
    bad = 3217
    offered = [*rows[:bad], rows[bad]._replace(values=(1.5, rows[bad].values[1])), *rows[bad + 1 :]]
    written = rig.store.write(offered)
    assert written.accepted == 5000
    if rig.judges:
        assert [entry.index for entry in written.rejected] == [bad]
        assert written.rejected[0].reason.startswith("type conflict: ")
        assert holds(rig, rows[:bad] + rows[bad + 1 :])
    else:
        assert written.rejected == ()


@pytest.mark.parametrize("rig", ["sqlite", "files"], indirect=True)
def test_another_value_for_a_sample_never_overwrites(rig: Rig) -> None:
    first, other = row({"voltage_l1_v": 230.5, "on_b": True}), row({"voltage_l1_v": 230.0})
    assert rig.store.write([first]) == Written(1)
    written = rig.store.write([other, first, row({"on_b": True}, qualities={"on_b": 0})])
    assert [entry.index for entry in written.rejected] == [0, 2]
    assert all(entry.reason.startswith("conflict: ") for entry in written.rejected)
    assert holds(rig, [first])


@pytest.mark.parametrize("rig", ["influxdb 1.6"], indirect=True)
def test_a_server_overwrites_by_design_and_a_nanosecond_keeps_both(rig: Rig) -> None:
    first, other = row({"voltage_l1_v": 230.5}), row({"voltage_l1_v": 230.0})
    assert rig.store.write([first, other]) == Written(2)
    assert holds(rig, [other])
    # What intake does with such a sample: a digit below the millisecond.
    kept = row({"voltage_l1_v": 230.5}, at=1)
    assert rig.store.write([kept]) == Written(1)
    assert holds(rig, [other, kept])


def test_a_closed_store_opens_again_and_closing_twice_is_no_fault(rig: Rig) -> None:
    rows = series(2)
    assert rig.store.write(rows[:1]) == Written(1)
    rig.store.close()
    rig.store.close()
    rig.reopen()
    assert rig.store.write(rows[1:]) == Written(1)
    assert holds(rig, rows)


def test_many_devices_and_shapes_in_one_batch(rig: Rig) -> None:
    rows = series(1)
    for n in range(120):
        names = [f"m{k}_f" for k in range(n % 7, n % 7 + 3 + n % 5)]
        rows += [row({name: float(n) for name in names}, device=f"d{n}", at=t * SECOND_NS) for t in range(3)]
    assert rig.store.write(rows) == Written(len(rows))
    assert holds(rig, rows)
