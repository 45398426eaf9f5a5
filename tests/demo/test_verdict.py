"""The demo's verdict finds what it is there to find: each zero is broken on purpose here."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from shutan_collector.site.file import parse_site
from shutan_collector.site.model import Site
from shutan_demo.evidence import NodeStory, Truth, read_story
from shutan_demo.hourly import judge_hours
from shutan_demo.readback import StoredRow
from shutan_demo.verify import Verdict, judge

SITE = """
[site]
id = "lab"
name = "Lab"
name_zh = "实验室"
region = "CN-SC"

[[meter]]
id = "m1"
name = "Meter"
name_zh = "电表"
node = "n1"
device = "d1"
metric = "active_energy_import_wh"
carrier = "electricity"
role = "entry"
level = 1
rollover_wh = 1000000000
"""
REGISTER = ("m1", "active_energy_import_wh")
BOOT = 7
MS = 1_000_000
START_MS = 1_790_000_000_000


def row(record: int, value: int, *, device: str = "d1", sub_ns: int = 0) -> StoredRow:
    t_ns = (START_MS + record * 10_000) * MS + sub_ns
    return StoredRow("energy", "n1", device, t_ns, record, BOOT, {REGISTER[1]: value})


@pytest.fixture
def site() -> Site:
    return parse_site(SITE, "site.toml")


@pytest.fixture
def truth() -> Truth:
    times = [START_MS + record * 10_000 for record in range(1, 6)]
    return Truth({REGISTER: (times, [100, 110, 120, 130, 140])}, {REGISTER: 140})


def verdict(rows: list[StoredRow], site: Site, truth: Truth, *, acked: int = 5) -> Verdict:
    story = NodeStory("n1", boots={BOOT}, acked=acked, newest=5)
    return judge("sqlite", rows, site=site, truth=truth, stories=[story], reach_ms=1000)


GOOD = [row(record, 90 + 10 * record) for record in range(1, 6)]


def test_what_is_right_is_sound(site: Site, truth: Truth) -> None:
    found = verdict(GOOD, site, truth)
    assert found.sound
    assert (found.records_stored, found.samples_stored, found.meters) == (5, 5, 1)


def test_a_record_that_the_node_kept_and_the_store_lacks_is_lost(site: Site, truth: Truth) -> None:
    found = verdict(GOOD[:2] + GOOD[3:], site, truth)
    assert (found.lost, found.sound) == (1, False)


def test_a_record_beyond_what_was_acknowledged_is_not_asked_for(site: Site, truth: Truth) -> None:
    assert verdict(GOOD[:2] + GOOD[3:], site, truth, acked=2).lost == 0


def test_a_number_that_a_gap_declared_is_unsaved_and_not_lost(site: Site, truth: Truth) -> None:
    gap = StoredRow("node", "n1", "", (START_MS + 60_000) * MS, 6, BOOT, {"gap_from": 3, "gap_to": 3})
    found = verdict([*GOOD[:2], *GOOD[3:], gap], site, truth, acked=6)
    assert (found.lost, found.unsaved, found.sound) == (0, 1, True)


def test_a_sample_that_stands_twice_is_duplicated(site: Site, truth: Truth) -> None:
    found = verdict([*GOOD, row(3, 120, sub_ns=1000)], site, truth)
    assert (found.duplicated, found.sound) == (1, False)


def test_a_record_under_two_devices_is_duplicated(site: Site, truth: Truth) -> None:
    found = verdict([*GOOD, row(3, 120, device="d2")], site, truth)
    assert (found.duplicated, found.sound) == (1, False)


def test_a_watt_hour_too_many_is_an_error(site: Site, truth: Truth) -> None:
    found = verdict([*GOOD[:-1], row(5, 141)], site, truth)
    assert (found.energy_error_wh, found.register_errors, found.sound) == (1, 1, False)


def test_a_value_of_another_time_is_an_error(site: Site, truth: Truth) -> None:
    found = verdict([GOOD[0], row(2, 140), *GOOD[2:]], site, truth)
    assert (found.energy_error_wh, found.register_errors, found.sound) == (0, 1, False)


def test_a_meter_that_never_arrived_is_an_error(site: Site, truth: Truth) -> None:
    found = verdict([replace_metric(entry) for entry in GOOD], site, truth)
    assert (found.register_errors, found.sound) == (1, False)


def replace_metric(entry: StoredRow) -> StoredRow:
    return entry._replace(values={"active_power_w": 1.0})


@pytest.mark.parametrize(("consumption", "error"), [(40, 0), (41, 1), (30, 10)])
def test_an_hour_is_held_against_the_instrument(site: Site, truth: Truth, consumption: int, error: int) -> None:
    def end(record: int, register: int) -> dict[str, object]:
        at = datetime.fromtimestamp((START_MS + record * 10_000) / 1000, UTC)
        return {"time": at.isoformat(), "register": register}

    period: dict[str, Any] = {
        "from": "2026-09-21T00:00:00+08:00",
        "consumption": {"value": consumption},
        "estimated": False,
        "start": end(1, 100),
        "end": end(5, 140),
        "carbon": None,
    }
    found: dict[str, Any] = {
        "carbon": {},
        "meters": [{"id": "m1", "metric": REGISTER[1], "unit": "Wh", "periods": [period]}],
    }
    hours = judge_hours(found, site, truth, timedelta(seconds=1))
    assert (hours.error_wh, hours.checked) == (error, 1)


def test_an_hour_over_a_rollover_counts_on(site: Site) -> None:
    start = datetime.fromtimestamp(START_MS / 1000, UTC)
    later = start + timedelta(hours=1)
    truth = Truth({REGISTER: ([START_MS, START_MS + 3_600_000], [999_999_990, 20])}, {REGISTER: 20})
    period: dict[str, Any] = {
        "from": start.isoformat(),
        "consumption": {"value": 30},
        "estimated": False,
        "start": {"time": start.isoformat(), "register": 999_999_990},
        "end": {"time": later.isoformat(), "register": 20},
        "carbon": None,
    }
    found: dict[str, Any] = {
        "carbon": {},
        "meters": [{"id": "m1", "metric": REGISTER[1], "unit": "Wh", "periods": [period]}],
    }
    assert judge_hours(found, site, truth, timedelta(seconds=1)).error_wh == 0


def test_a_console_is_folded_over_lives_and_broken_lines(tmp_path: Path) -> None:
    console = tmp_path / "console.jsonl"
    lines = [
        '{"event": "boot", "boot": "07", "runtime": "3.4.0; MicroPython v1.25.0", "samples": 0}',
        '{"event": "ack", "boot": "07", "acked": 4, "journaled": 2, "newest": 6, "samples": 60, "heap_peak": 9}',
        '{"event": "ack", "boot": "0',
        "Traceback (most recent call last):",
        '{"event": "boot", "boot": "08", "acked": 0, "journaled": 5, "newest": 70, "samples": 10}',
    ]
    console.write_text("\n".join(lines), encoding="utf-8")
    story = read_story("n1", console)
    expected = NodeStory("n1", {7, 8}, 4, 5, 70, 70, 9, "3.4.0; MicroPython v1.25.0")
    assert replace(story) == expected
