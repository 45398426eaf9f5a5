"""Activity rows in both databases: the newest entry of a key is in force, an import is whole or not at all."""

import threading
from dataclasses import replace
from datetime import date
from fractions import Fraction

import pytest

from shutan_collector.activity.book import Imported, SourceFile
from shutan_collector.activity.kinds import ActivityBook, Bill, LandArea
from shutan_collector.errors import ActivityError, LedgerError
from shutan_collector.ledger.activities import KIND, ActivityStore
from shutan_collector.ledger.entries import Record
from shutan_collector.ledger.store import Ledger, open_ledger
from support.activities import CHINA
from support.ledgers import AT

LAND = LandArea(key="L1", place="land.csv:2", start=date(2024, 1, 1), area_m2=Fraction(100, 3))
BILL = Bill(
    key="B1",
    place="bill.csv:2",
    meter="entry",
    start=date(2025, 5, 26),
    end=date(2025, 6, 25),
    energy_kwh=Fraction(100),
)


def _imported(*rows: Bill | LandArea) -> Imported:
    names = {row.place.partition(":")[0] for row in rows}
    files = tuple(SourceFile(name, name[0] * 64, "utf-8", 1) for name in sorted(names))
    return Imported(ActivityBook.of(rows, CHINA), files)


def test_rows_come_back_exactly_and_in_order(ledger: Ledger) -> None:
    store = ActivityStore(ledger, CHINA)
    assert len(store.current()) == 0
    store.replace(_imported(BILL, LAND), "Li", AT)
    assert store.current() == ActivityBook.of((BILL, LAND), CHINA)
    changed = replace(BILL, energy_kwh=Fraction(101))
    changes = store.replace(_imported(changed, LAND), "Wang", AT)
    assert [change.fields for change in changes.changed] == [("energy_kwh",)]
    assert store.current().bills == (changed,)
    assert [(version.author, version.row, version.sha256) for version in store.history("bill/B1")] == [
        ("Li", BILL, "b" * 64),
        ("Wang", changed, "b" * 64),
    ]
    assert ledger.check_chain() is None


def test_preview_writes_nothing(ledger: Ledger) -> None:
    store = ActivityStore(ledger, CHINA)
    assert store.preview(_imported(BILL)).added == (BILL,)
    assert ledger.head().seq == 0


def test_contradiction_with_rows_in_force_writes_nothing(ledger: Ledger) -> None:
    store = ActivityStore(ledger, CHINA)
    store.replace(_imported(BILL), "Li", AT)
    before = ledger.head()
    overlapping = replace(BILL, key="B2", start=date(2025, 6, 25), end=date(2025, 7, 25))
    with pytest.raises(ActivityError, match="lies within the bill 'B1'"):
        store.preview(_imported(overlapping, LAND))
    with pytest.raises(ActivityError, match="lies within the bill 'B1'"):
        store.replace(_imported(overlapping, LAND), "Li", AT)
    assert ledger.head() == before
    store.replace(_imported(overlapping, LAND), "Li", AT, remove=True)
    assert {row.ref for row in store.current()} == {"bill/B2", "land_area/L1"}


def test_two_imports_at_once_follow_one_another(ledger: Ledger, url: str) -> None:
    def run(row: LandArea) -> None:
        with open_ledger(url) as own:
            ActivityStore(own, CHINA).replace(_imported(row), row.key, AT)

    rows = [replace(LAND, key=f"L{number}", start=date(2000 + number, 1, 1)) for number in range(4)]
    threads = [threading.Thread(target=run, args=(row,)) for row in rows]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    store = ActivityStore(ledger, CHINA)
    assert {row.key for row in store.current()} == {"L0", "L1", "L2", "L3"}
    assert ledger.check_chain() is None


def test_an_entry_of_another_shape_is_named(ledger: Ledger) -> None:
    ledger.append([Record(KIND, "bill/B1", "", {"schema": "other/1"})], "Li", AT)
    with pytest.raises(LedgerError, match=r"ledger entry 1: 'other/1' is not shutan\.activity/1"):
        ActivityStore(ledger, CHINA).current()
