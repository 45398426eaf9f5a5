"""Everything that is planted shows in the readings as it is told, and the hours of the account are the registers'.

The registers are followed here by rules of this file, so that the account (which never looks at one) has a witness.
"""

import csv
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from shutan_sim.year.files import write_year
from shutan_sim.year.meters import METERS
from shutan_sim.year.plan import Kind
from shutan_sim.year.run import Order

START, DAYS = date(2025, 5, 20), 100
HOUR_NS = 3_600_000_000_000
QUARTER_NS = HOUR_NS // 4
Key = tuple[str, str, str]
Series = dict[int, int]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hundred days with everything planted."""
    folder = tmp_path_factory.mktemp("year")
    write_year(Order(START, DAYS, 40, 15, 5, frozenset(Kind)), folder, lambda _done, _of: None)
    return folder


@pytest.fixture(scope="module")
def truth(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "truth.json").read_text(encoding="utf-8"))


def rows(path: Path) -> Iterator[tuple[int, Key, int]]:
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            t_ns = round(datetime.fromisoformat(row["time"]).timestamp()) * 10**9
            yield t_ns, (row["node"], row["device"], row["metric"]), int(row["register"])


@pytest.fixture(scope="module")
def series(folder: Path) -> Mapping[Key, Series]:
    """Registers by time, late rows included."""
    found: dict[Key, Series] = defaultdict(dict)
    for name in ("readings.csv", "late.csv"):
        for t_ns, key, register in rows(folder / name):
            assert found[key].setdefault(t_ns, register) == register
    return found


def events(truth: Mapping[str, Any], kind: str) -> list[dict[str, Any]]:
    return [event for event in truth["events"] if event["kind"] == kind]


def key_of(meter: str, device: str = "") -> Key:
    spec = next(spec for spec in METERS if spec.id == meter)
    return spec.node, device or spec.device, spec.metric


def test_every_kind_is_planted_once(truth: Mapping[str, Any]) -> None:
    assert sorted(event["kind"] for event in truth["events"]) == sorted(kind.value for kind in Kind)


def test_an_undisturbed_hour_is_the_difference_of_its_registers(
    truth: Mapping[str, Any], series: Mapping[Key, Series]
) -> None:
    """To the unit, for all meters and hours that no event touches; each register is in whole steps of its ratio."""
    compared = 0
    for spec in METERS:
        touched = [
            event
            for event in truth["events"]
            if spec.id in event["meters"] and event["kind"] not in ("late", "duplicates", "out_of_order")
        ]
        registers = series[key_of(spec.id)]
        for number, value in enumerate(truth["meters"][spec.id]["hours"]):
            begin = truth["start_ns"] + number * HOUR_NS
            if any(event["start_ns"] - HOUR_NS < begin <= event["end_ns"] for event in touched):
                continue
            if begin in registers and begin + HOUR_NS in registers:
                assert registers[begin + HOUR_NS] - registers[begin] == value
                compared += 1
        if spec.id != "m-bottling":
            assert all(register % (spec.step * spec.ratio) == 0 for register in registers.values())
    assert compared > 40 * DAYS * 24 * 95 // 100


def test_what_was_counted_is_what_passed_to_a_step(truth: Mapping[str, Any]) -> None:
    for spec in METERS:
        account = truth["meters"][spec.id]
        steps = 3 if spec.id in {event for e in truth["events"] for event in e["meters"]} else 1
        missing = account["passed"][0] - account["total"] * account["passed"][1]
        assert abs(missing) < steps * spec.step * spec.ratio * 2 * account["passed"][1]
        assert sum(account["hours"]) == account["total"]
        assert len(account["hours"]) == DAYS * 24


def test_rollover(truth: Mapping[str, Any], series: Mapping[Key, Series]) -> None:
    (event,) = events(truth, "rollover")
    (meter,) = event["meters"]
    spec = next(spec for spec in METERS if spec.id == meter)
    registers = series[key_of(meter)]
    before, after = registers[event["start_ns"]], registers[event["end_ns"]]
    span = spec.span * spec.step * spec.ratio
    assert before > after
    step = span - before + after
    near = [
        registers[t + QUARTER_NS] - registers[t]
        for t in range(event["start_ns"] - 96 * QUARTER_NS, event["start_ns"], QUARTER_NS)
    ]
    assert 0 <= step <= max(near) * 2


def test_swap_in_mid_month_with_both_registers(
    folder: Path, truth: Mapping[str, Any], series: Mapping[Key, Series]
) -> None:
    (event,) = events(truth, "swap")
    (meter,) = event["meters"]
    old, new = series[key_of(meter)], series[key_of(meter, f"{meter}-2")]
    assert max(old) < event["start_ns"] < min(new)
    assert 10 <= datetime.fromisoformat(event["start"]).day <= 20
    text = (
        (folder / "site.toml")
        .read_text(encoding="utf-8")
        .partition(f'id = "{meter}"\n')[2]
        .partition("[[meter]]\nid")[0]
    )
    stated = [int(line.split(" = ")[1]) for line in text.splitlines() if "_register" in line]
    hour = event["start_ns"] // HOUR_NS * HOUR_NS
    number = (hour - truth["start_ns"]) // HOUR_NS
    counted = (stated[0] - old[hour]) + (new[hour + HOUR_NS] - stated[1])
    assert counted == truth["meters"][meter]["hours"][number]
    assert old[max(old)] <= stated[0]


def test_ct_change_raises_the_primary_register_at_the_same_display(folder: Path, truth: Mapping[str, Any]) -> None:
    (event,) = events(truth, "ct_change")
    text = (
        (folder / "site.toml")
        .read_text(encoding="utf-8")
        .partition('id = "m-bottling"\n')[2]
        .partition("[[meter]]\nid")[0]
    )
    registers = [int(line.split(" = ")[1]) for line in text.splitlines() if "_register" in line]
    assert event["meters"] == ["m-bottling"]
    assert len({line for line in text.splitlines() if line.startswith(("serial", "device"))}) == 2
    assert registers[0] * 40 == registers[1] * 30


def test_reset_loses_what_passed_since_the_reading_before(
    truth: Mapping[str, Any], series: Mapping[Key, Series]
) -> None:
    (event,) = events(truth, "reset")
    registers = series[key_of(event["meters"][0])]
    before = event["start_ns"] // QUARTER_NS * QUARTER_NS
    assert registers[before + QUARTER_NS] * 2 < registers[before]
    ((hour, lost),) = event["lost"]
    number = (hour - truth["start_ns"]) // HOUR_NS
    counted = registers[before] - registers[hour] + registers[hour + HOUR_NS]
    assert counted + lost == truth["meters"][event["meters"][0]]["hours"][number]
    assert lost > 0


def test_negative_step_is_small_and_loses_its_quarter(truth: Mapping[str, Any], series: Mapping[Key, Series]) -> None:
    (event,) = events(truth, "negative_step")
    registers = series[key_of(event["meters"][0])]
    before = event["start_ns"] // QUARTER_NS * QUARTER_NS
    drop = registers[before] - registers[before + QUARTER_NS]
    assert 0 < drop < registers[before] // 2
    ((hour, lost),) = event["lost"]
    number = (hour - truth["start_ns"]) // HOUR_NS
    counted = registers[before] - registers[hour] + registers[hour + HOUR_NS] - registers[before + QUARTER_NS]
    assert counted + lost == truth["meters"][event["meters"][0]]["hours"][number]


def test_gap_of_three_days(truth: Mapping[str, Any], series: Mapping[Key, Series]) -> None:
    (event,) = events(truth, "gap")
    assert event["end_ns"] - event["start_ns"] == 72 * HOUR_NS
    for meter in event["meters"]:
        registers = series[key_of(meter)]
        assert not [t for t in registers if event["start_ns"] <= t < event["end_ns"]]
        first, last = event["start_ns"] - QUARTER_NS, event["end_ns"]
        numbers = [(t - truth["start_ns"]) // HOUR_NS for t in (event["start_ns"], last)]
        inside = sum(truth["meters"][meter]["hours"][numbers[0] : numbers[1]])
        assert registers[last] - registers[first] >= inside > 0


def test_stuck_register_jumps_to_the_right_value(truth: Mapping[str, Any], series: Mapping[Key, Series]) -> None:
    (event,) = events(truth, "stuck")
    registers = series[key_of(event["meters"][0])]
    times = range(event["start_ns"], event["end_ns"], QUARTER_NS)
    assert len({registers[t] for t in times}) == 1
    numbers = [(t - truth["start_ns"]) // HOUR_NS for t in (event["start_ns"], event["end_ns"])]
    inside = sum(truth["meters"][event["meters"][0]]["hours"][numbers[0] : numbers[1]])
    assert registers[event["end_ns"]] - registers[event["start_ns"]] == inside > 0


def test_late_day_stands_in_its_own_file_only(folder: Path, truth: Mapping[str, Any]) -> None:
    (event,) = events(truth, "late")
    assert event["meters"] == ["m-entry", "m-export"]
    late = [(t, key) for t, key, _ in rows(folder / "late.csv")]
    assert len(late) == truth["late_rows"] == 2 * 96
    assert {t for t, _ in late} == set(range(event["start_ns"], event["end_ns"], QUARTER_NS))
    assert not set(late) & {(t, key) for t, key, _ in rows(folder / "readings.csv")}


def test_duplicates_and_rows_out_of_order(folder: Path, truth: Mapping[str, Any]) -> None:
    (twice,), (moved,) = events(truth, "duplicates"), events(truth, "out_of_order")
    seen: dict[tuple[int, Key], int] = defaultdict(int)
    backwards: set[int] = set()
    for (before, _, _), (t_ns, key, _) in pairwise(rows(folder / "readings.csv")):
        seen[t_ns, key] += 1
        if t_ns < before:
            backwards.add(t_ns)
    doubled = {t for (t, _), count in seen.items() if count == 2}
    assert doubled == set(range(twice["start_ns"], twice["end_ns"], QUARTER_NS))
    assert max(seen.values()) == 2
    assert backwards == {twice["start_ns"], moved["start_ns"]}
    assert truth["rows"] == sum(seen.values()) + 1  # pairwise does not count the first one


def test_nothing_is_planted_where_nothing_is_asked(tmp_path: Path) -> None:
    write_year(Order(START, 5, 40, 15, 5, frozenset()), tmp_path, lambda _done, _of: None)
    truth = json.loads((tmp_path / "truth.json").read_text(encoding="utf-8"))
    assert truth["events"] == []
    assert truth["rows"] == 40 * (5 * 96 + 9)
    assert (tmp_path / "late.csv").read_text(encoding="utf-8").count("\n") == 1
