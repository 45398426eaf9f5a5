"""The year's plant adds up at every level, and its files are the same for the same seed."""

import csv
import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path

import pytest

from shutan_sim.local_time import day_of
from shutan_sim.year.files import write_year
from shutan_sim.year.meters import METERS
from shutan_sim.year.plan import Kind, start_of
from shutan_sim.year.plant import UNITS, part_of, quarters_of_day
from shutan_sim.year.run import Order
from shutan_sim.year.tariff import bands_of

DAYS = [date(2025, 1, 5), date(2025, 6, 16), date(2025, 10, 29)]  # a Sunday, and two days of work
# Parent -> its branches; the rest of the parent is loss or what nobody meters.
TREE = {
    "dist_1": ("dist_1_hoist", "dist_1_fan", "dist_1_pump"),
    "dist_2": ("dist_2_hoist", "dist_2_fan", "dist_2_pump"),
    "bottling": ("bottling_fill", "bottling_wash"),
    "air": ("air_1", "air_2"),
    "cold": ("cold_1", "cold_2"),
    "steam": ("steam_1", "steam_2"),
    "steam_bought": ("steam_wash", "steam_koji"),
    "water": ("water_process", "water_cooling", "water_boiler"),
}


def channels(day: date) -> Mapping[str, list[int]]:
    return quarters_of_day(7, day_of(start_of(day)))


@pytest.mark.parametrize("day", DAYS)
def test_a_parent_is_its_branches_and_a_small_loss(day: date) -> None:
    found = channels(day)
    for parent, branches in TREE.items():
        losses = [
            whole - sum(parts) for whole, *parts in zip(found[parent], *(found[name] for name in branches), strict=True)
        ]
        assert min(losses) >= 0
        assert sum(losses) * 20 <= sum(found[parent])


@pytest.mark.parametrize("day", DAYS)
def test_what_comes_in_is_what_the_sub_units_use_and_the_loss(day: date) -> None:
    found = channels(day)
    behind = [meter for meter in METERS if meter.parent == "m-entry"]
    loads = {meter.channel for meter in behind if meter.role == "sub"}
    assert {meter.role for meter in behind} == {"sub", "generation", "export"}
    for quarter in range(96):
        bought = found["grid_import"][quarter] + found["pv"][quarter] - found["grid_export"][quarter]
        assert bought == sum(found[name][quarter] for name in loads) + found["loss"][quarter]


def test_meters_stand_behind_their_parents() -> None:
    assert len(METERS) == len({meter.id for meter in METERS}) == len({meter.serial for meter in METERS}) == 40
    seen: dict[str, int] = {}
    for meter in METERS:
        assert not meter.parent or seen[meter.parent] <= meter.level
        seen[meter.id] = meter.level
        assert meter.ct[0] * meter.pt[0] == meter.ratio * meter.ct[1] * meter.pt[1]


def test_a_quarter_is_uniform() -> None:
    assert [part_of(31, minute) for minute in (0, 1, 14, 15)] == [0, 2, 28, 31]


def test_every_day_has_a_band_for_every_quarter_and_sharp_only_in_its_months() -> None:
    sharp = {month for month in range(1, 13) if "sharp" in bands_of(date(2025, month, 1))}
    assert sharp == {1, 7, 8, 12}
    assert all(len(bands_of(date(2025, month, 28))) == 96 for month in range(1, 13))


def order(**more: object) -> Order:
    base: dict[str, object] = {
        "start": date(2025, 2, 20), "days": 12, "meters": 10, "interval_min": 15, "seed": 3, "kinds": frozenset(Kind),
    }  # fmt: skip
    return Order(**{**base, **more})  # pyright: ignore[reportArgumentType] - the table above has their types


def written(folder: Path, **more: object) -> dict[str, bytes]:
    write_year(order(**more), folder, lambda _done, _of: None)
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_the_same_seed_gives_the_same_bytes_and_another_one_does_not(tmp_path: Path) -> None:
    first = written(tmp_path / "a")
    assert first == written(tmp_path / "b")
    other = written(tmp_path / "c", seed=4)
    assert first.keys() == other.keys()
    assert first["readings.csv"] != other["readings.csv"]
    assert {"site.toml", "tariff.toml", "truth.json", "readings.csv", "late.csv", "activity/bill.csv"} <= first.keys()


def test_only_days_leaves_rows_out_and_changes_nothing_else(tmp_path: Path) -> None:
    whole = written(tmp_path / "a", kinds=frozenset[Kind]())
    part = written(tmp_path / "b", kinds=frozenset[Kind](), only_days=frozenset({date(2025, 2, 24)}))
    rows = whole["readings.csv"].splitlines()
    assert part["readings.csv"].splitlines() == [rows[0], *(row for row in rows if row.startswith(b"2025-02-24"))]
    truth, less = (json.loads(files["truth.json"]) for files in (whole, part))
    assert truth.pop("rows") == 10 * (12 * 96 + 9)
    assert less.pop("rows") == 10 * 96
    assert truth == less


def test_bills_are_what_was_bought_by_band(tmp_path: Path) -> None:
    files = written(tmp_path, kinds=frozenset[Kind]())
    truth = json.loads(files["truth.json"])["meters"]["m-entry"]
    bills = list(csv.DictReader(files["activity/bill.csv"].decode().splitlines()))
    assert [(bill["start"], bill["end"]) for bill in bills] == [
        ("2025-02-20", "2025-02-25"),
        ("2025-02-26", "2025-03-03"),
    ]
    for bill in bills:
        parts = [int(bill[f"{band} [kWh]"]) for band in ("sharp", "peak", "flat", "valley")]
        assert sum(parts) == int(bill["energy [kWh]"])
    billed = sum(int(bill["energy [kWh]"]) for bill in bills) * 1000
    assert 0 <= truth["passed"][0] // UNITS - billed < 8 * 1000  # each band of each bill is cut to whole kWh


def test_a_longer_interval_is_every_second_or_fourth_row(tmp_path: Path) -> None:
    quarters = written(tmp_path / "a", kinds=frozenset[Kind]())["readings.csv"].splitlines()
    for minutes, marks in ((30, (b":00:00+", b":30:00+")), (60, (b":00:00+",))):
        rows = written(tmp_path / str(minutes), kinds=frozenset[Kind](), interval_min=minutes)["readings.csv"]
        kept = [row for row in quarters[1:] if any(mark in row[13:25] for mark in marks)]
        assert rows.splitlines()[1:] == kept
