"""The platform for key energy users, scripted: days and months out of readings, fill-in, acknowledgements, restarts."""

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from shutan_gateway.config.northbound import KeyEnergyConfig
from shutan_gateway.counters import Counters
from shutan_gateway.northbound import key_energy
from shutan_gateway.northbound.key_energy import KeyEnergyStore
from shutan_gateway.northbound.key_energy.documents import Filled, read_fill, refusal
from shutan_gateway.rows import Row
from shutan_gateway.stores.base import Written
from support.scripted_http import Request, Say, ScriptedHttp
from support.servers import wait_until
from support.store_rows import T0_NS, row

DAY_MS = 86_400_000
NOVEMBER_MS = 1_793_462_400_000  # 2026-11-01 00:00 in UTC+8
LIMIT_S = 20.0
WH = "active_energy_import_wh"
REGISTER = {"site": "jiuniang", "node": "n01", "metric": WH}


class Clock:
    """The store's time in ms, moved by hand."""

    def __init__(self) -> None:
        self.now_ms = NOVEMBER_MS

    def __call__(self) -> int:
        return self.now_ms


@pytest.fixture
def clock() -> Clock:
    return Clock()


Make = Callable[..., KeyEnergyStore]


@pytest.fixture
def make(tmp_path: Path, clock: Clock) -> Iterator[Make]:
    made: list[KeyEnergyStore] = []

    def store(**more: Any) -> KeyEnergyStore:
        tree: dict[str, Any] = {
            "kind": "key_energy",
            "name": "platform",
            "unit_code": "330100-0001",
            "folder": tmp_path / "uploads",
            "state": tmp_path / "platform.sqlite",
            "settle_s": 0,
            "indicator": [{"code": "e1", "device": "main", **REGISTER}],
        }
        made.append(KeyEnergyStore(KeyEnergyConfig.model_validate({**tree, **more}), Counters(), clock))
        return made[-1]

    yield store
    for one in made:
        one.close()


def reading(at_ms: int, value: int, device: str = "main") -> Row:
    """A register reading `at_ms` after the beginning of November."""
    return row({WH: value}, at=(NOVEMBER_MS + at_ms) * 1_000_000 - T0_NS, device=device)


def hourly(days: int, *, wh_an_hour: int = 1_000, first_ms: int = 0) -> list[Row]:
    return [reading(first_ms + n * 3_600_000, 2**53 + n * wh_an_hour) for n in range(24 * days + 1)]


def documents(store: KeyEnergyStore) -> dict[tuple[str, str], Any]:
    found = store._state.rows("SELECT kind, key, body FROM outbox")  # pyright: ignore[reportPrivateUsage] - what waits
    return {(str(kind), str(key)): json.loads(str(body)) for kind, key, body in found}


def item(value: str, **more: str) -> dict[str, str]:
    return {"code": "e1", "value": value, "unit": "kWh", "input": "auto", "completeness": "1.000", **more}


def test_a_day_is_the_difference_of_its_two_midnights(make: Make, clock: Clock) -> None:
    store = make()
    others = [reading(0, 5, device="other"), row({"active_power_w": 1.5}, device="main"), row({WH: 1.5}, device="main")]
    assert store.write([*hourly(2), *others]) == Written(52)
    clock.now_ms = NOVEMBER_MS + DAY_MS - 1
    assert store.make_documents() == 0
    clock.now_ms += 1
    assert store.make_documents() == 1
    assert documents(store) == {
        ("day", "2026-11-01"): {
            "version": 1,
            "unit_code": "330100-0001",
            "kind": "day",
            "period": "2026-11-01",
            "items": [item("24.00")],
            "missing": [],
        }
    }
    store.write(hourly(2))
    assert store.make_documents() == 0, "a repeat changes nothing"


def test_the_reading_nearest_to_midnight_counts_and_one_too_far_does_not(make: Make, clock: Clock) -> None:
    store = make()
    store.write([reading(-70_000, 900), reading(50_000, 1_050), reading(-20_000, 980), reading(30_000, 1_030)])
    store.write([reading(DAY_MS + 61_000, 9_000)])
    clock.now_ms = NOVEMBER_MS + DAY_MS
    assert store.make_documents() == 0
    store.write([reading(DAY_MS - 60_000, 3_980)])
    assert store.make_documents() == 1
    assert documents(store)["day", "2026-11-01"]["items"] == [item("3.00", completeness="0.083")]


def test_a_register_that_fell_gives_no_value(make: Make, clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    store = make()
    store.write([reading(0, 5_000), reading(DAY_MS, 10)])
    clock.now_ms = NOVEMBER_MS + DAY_MS
    with caplog.at_level(logging.WARNING, "shutan"):
        assert store.make_documents() == 0
    assert "day 2026-11-01 has no value for e1: fill it in, or wait for late readings" in caplog.text


def test_a_person_fills_in_what_no_reading_tells(make: Make, clock: Clock, tmp_path: Path) -> None:
    fill = tmp_path / "fill.csv"
    indicators = [{"code": code, "device": code, **REGISTER} for code in ("e1", "e2")]
    store = make(fill_file=fill, indicator=indicators)
    store.write([reading(0, 1_000, "e1"), reading(DAY_MS, 2_000, "e1"), reading(0, 7, "e2")])
    clock.now_ms = NOVEMBER_MS + DAY_MS
    assert store.make_documents() == 1
    assert documents(store)["day", "2026-11-01"]["missing"] == ["e2"]
    fill.write_text("period,code,value\n2026-11-01,e2,33.333\n2026-11-01,e1,99\n")
    assert store.make_documents() == 1
    found = documents(store)["day", "2026-11-01"]
    assert found["missing"] == []
    assert [(one["code"], one["value"], one["input"]) for one in found["items"]] == [
        ("e1", "1.00", "auto"),
        ("e2", "33.33", "manual"),
    ]
    store.write([reading(DAY_MS, 10_007, "e2")])
    assert store.make_documents() == 1, "a late reading is better than a person's"
    assert documents(store)["day", "2026-11-01"]["items"][1]["value"] == "10.00"


def test_the_fill_in_file_says_what_is_wrong() -> None:
    path = Path(key_energy.__file__).parent / "testcases" / "fill.csv"
    found, wrong = read_fill(path, {"e1", "e2"})
    assert found == [
        Filled("e1", "2026-11-18", "1234.5"),
        Filled("e1", "2026-10", "39001.2"),
        Filled("e2", "2026-11-18", "0"),
    ]
    assert wrong == [
        "line 6: 'e9' is no configured indicator",
        "line 7: '18.11.2026' is no day (YYYY-MM-DD) and no month (YYYY-MM)",
        "line 8: period, code and value expected",
        "line 9: '-1' is no consumption",
        "line 10: 'many' is no consumption",
    ]


def test_a_month_is_sent_when_it_is_over_and_complete(make: Make, clock: Clock) -> None:
    store = make()
    store.write([reading(n * DAY_MS, n * 1_000_000) for n in range(31) if n not in {5, 6}])
    clock.now_ms = NOVEMBER_MS + 30 * DAY_MS - 1
    store.make_documents()
    assert ("month", "2026-11") not in documents(store)
    clock.now_ms += 1
    store.make_documents()
    found = documents(store)["month", "2026-11"]
    assert found["items"] == [item("30000.00", completeness="0.900")]


def test_a_month_below_the_completeness_waits(make: Make, clock: Clock, tmp_path: Path) -> None:
    fill = tmp_path / "fill.csv"
    store = make(fill_file=fill)
    store.write([reading(n * DAY_MS, n * 1_000_000) for n in range(31) if n not in {5, 6, 7}])
    clock.now_ms = NOVEMBER_MS + 30 * DAY_MS
    store.make_documents()
    assert ("month", "2026-11") not in documents(store)
    fill.write_text("2026-11-06,e1,1000\n")
    store.make_documents()
    assert documents(store)["month", "2026-11"]["items"] == [item("30000.00", completeness="0.900")]


def test_a_month_without_its_ends_is_the_sum_of_its_days(make: Make, clock: Clock, tmp_path: Path) -> None:
    fill = tmp_path / "fill.csv"
    store = make(fill_file=fill)
    store.write([reading(n * DAY_MS, n * 1_000) for n in range(30)])
    clock.now_ms = NOVEMBER_MS + 30 * DAY_MS
    store.make_documents()
    assert ("month", "2026-11") not in documents(store)
    fill.write_text("2026-11-30,e1,7.25\n")
    store.make_documents()
    assert documents(store)["month", "2026-11"]["items"] == [item("36.25", input="manual")]


def test_documents_are_files_too_and_xml_if_wanted(make: Make, clock: Clock, tmp_path: Path) -> None:
    store = make(form="xml")
    store.write(hourly(1))
    clock.now_ms = NOVEMBER_MS + DAY_MS
    store.start()
    path = tmp_path / "uploads" / "330100-0001-day-2026-11-01.xml"
    wait_until(path.is_file, LIMIT_S, "the file")
    root = ET.fromstring(path.read_text(encoding="utf-8"))  # noqa: S314 - our own text
    assert root.attrib == {"version": "1", "unit_code": "330100-0001", "kind": "day", "period": "2026-11-01"}
    assert [one.attrib for one in root] == [item("24.00")]


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (200, b"", None),
        (204, b"", None),
        (200, b"thank you", None),
        (200, b'{"code": 0}', None),
        (200, b'{"code": "200", "msg": "ok"}', None),
        (200, b"[1]", None),
        (200, b'{"code": 1001, "msg": "unknown unit"}', 'refused: {"code": 1001, "msg": "unknown unit"}'),
        (200, b'{"success": false}', 'refused: {"success": false}'),
        (401, b"", "HTTP 401"),
        (500, b"oh\nno", "HTTP 500: oh no"),
    ],
)
def test_what_an_answer_means(status: int, body: bytes, said: str | None) -> None:
    assert refusal(status, body) == said


def test_documents_are_posted_until_the_platform_takes_them(
    make: Make, clock: Clock, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "token").write_text("t0ken")
    answers = [Say(503), Say(200, b'{"code": 1001}'), Say(200, b'{"code": 0}')]

    def answer(_request: Request) -> Say:
        return answers.pop(0)

    with ScriptedHttp(answer) as server, caplog.at_level(logging.WARNING, "shutan"):
        for left in (2, 1, 0):
            store = make(url=server.url, token_file=tmp_path / "token", folder=None)
            store.write(hourly(1))
            clock.now_ms = NOVEMBER_MS + DAY_MS + (3 - left) * 600_000
            store.start()
            wait_until(lambda left=left: len(answers) == left, LIMIT_S, "a try")
            store.close()
        last = make(url=server.url, folder=None)
        waiting = last._state.waiting()  # pyright: ignore[reportPrivateUsage] - what waits
        assert waiting == 0
        assert len({request.body for request in server.requests}) == 1
        assert server.requests[0].headers["authorization"] == "Bearer t0ken"
        assert server.requests[0].headers["x-document"] == "day/2026-11-01"
    assert "HTTP 503" in caplog.text
