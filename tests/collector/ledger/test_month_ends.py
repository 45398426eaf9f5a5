"""Neighbouring months share one boundary reading: no kilogram is lost or doubled where one month becomes the next."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import pytest

from shutan_collector.accounting.month import account_month
from shutan_collector.activity.kinds import ActivityBook
from shutan_collector.activity.rows import (
    Certificate,
    DeclaredMissing,
    Direction,
    FuelMovement,
    HeatForm,
    HeatPurchase,
    MissingMethod,
)
from shutan_collector.errors import IncompleteError, LedgerError
from shutan_collector.factors.release import load_release
from shutan_collector.ledger.closing import accept_proposal, current, restate_month
from shutan_collector.ledger.operations import close_period, find_late, restate
from shutan_collector.ledger.store import Ledger, open_ledger
from support.accounting import SITE, MemoryReader, Readings, at
from support.small_ledger import AT, AUTHOR, ENTRY, small_basis, steady_series

SECOND = 10**9


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with open_ledger(f"sqlite:{tmp_path / 'ledger.db'}", create=True) as opened:
        yield opened


def readings(ledger: Ledger, month: str, meter: str = "entry") -> dict[str, Any]:
    return cast("dict[str, Any]", current(ledger, month).find(f"readings/{meter}"))


def end(body: dict[str, Any], number: int) -> tuple[int, int]:
    """Time and register of the reading at a boundary."""
    low, high = body["boundaries"][number][1:]
    assert low == high
    return body["t_ns"][low], body["register"][low]


def passed(body: dict[str, Any]) -> int:
    return sum(flow[2] for flow in body["flows"])


def without(series: Readings, *times: int) -> Sequence[tuple[int, int]]:
    return [reading for reading in series if reading[0] not in times]


@pytest.mark.parametrize("seconds", [7, -7])
def test_a_late_reading_beside_the_months_end_is_noticed_in_both_months(ledger: Ledger, seconds: int) -> None:
    """The reading of midnight is missing; the boundary rests on another one until a nearer one arrives."""
    midnight = at("2025-07-01T00:00")
    series = steady_series("2025-05-31T22:00", 24 * 61 + 4)
    series[ENTRY] = without(series[ENTRY], midnight)
    for month in ("2025-06", "2025-07"):
        close_period(ledger, small_basis(series), month, AUTHOR, AT)
    whole = passed(readings(ledger, "2025-06")) + passed(readings(ledger, "2025-07"))
    register = next(value for t_ns, value in series[ENTRY] if t_ns == midnight - 600 * SECOND)
    late = (midnight + seconds * SECOND, register + 9_000 + seconds)
    series[ENTRY] = sorted([*series[ENTRY], late])
    found = list(find_late(ledger, MemoryReader(series), AT))
    assert [item.period for item in found] == ["2025-06", "2025-07"]
    for item in found:
        assert item.proposal is not None
        accept_proposal(ledger, item.proposal.seq, AUTHOR, "the node's store was read out", AT)
    june, july = readings(ledger, "2025-06"), readings(ledger, "2025-07")
    assert end(june, -1) == end(july, 0) == late
    assert passed(june) + passed(july) == whole
    assert list(find_late(ledger, MemoryReader(series), AT)) == []


def test_a_month_that_begins_with_another_reading_than_the_last_one_ends_with_stays_open(ledger: Ledger) -> None:
    """The nearer reading arrives between two closings: the second month waits until the first one has it too."""
    midnight = at("2025-07-01T00:00")
    series = steady_series("2025-05-31T22:00", 24 * 61 + 4)
    whole, holed = series[ENTRY], without(series[ENTRY], midnight)
    close_period(ledger, small_basis({**series, ENTRY: holed}), "2025-06", AUTHOR, AT)
    with pytest.raises(LedgerError, match=r"meter entry begins with register .* 2025-06 ends with"):
        close_period(ledger, small_basis(series), "2025-07", AUTHOR, AT)
    (late,) = find_late(ledger, MemoryReader(series), AT)
    assert (late.period, [(day.meter, day.day) for day in late.days]) == ("2025-06", [("entry", "2025-07-01")])
    assert late.proposal is not None
    accept_proposal(ledger, late.proposal.seq, AUTHOR, "the node's store was read out", AT)
    close_period(ledger, small_basis(series), "2025-07", AUTHOR, AT)
    register_at = dict(whole)
    both = passed(readings(ledger, "2025-06")) + passed(readings(ledger, "2025-07"))
    assert both == register_at[at("2025-08-01T00:00")] - register_at[at("2025-06-01T00:00")]


def heat(quantity: str, last: date = date(2025, 7, 15), key: str = "H1") -> HeatPurchase:
    return HeatPurchase(
        key=key, place="heat.csv:2", source="invoice", note="", start=date(2025, 6, 16), end=last, form=HeatForm.HEAT,
        heat_gj=Fraction(quantity),
    )  # fmt: skip


def diesel(day: date, place: str = "fuel.csv:2") -> FuelMovement:
    return FuelMovement(
        key="D1", place=place, source="invoice", note="", fuel="diesel", day=day, direction=Direction.PURCHASE,
        quantity=Fraction(3), unit="t",
    )  # fmt: skip


HALVES = ActivityBook(heat_purchases=(heat("100"),))
JUNE = ActivityBook(fuel_movements=(diesel(date(2025, 6, 30)),))


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        pytest.param(HALVES, ActivityBook(heat_purchases=(heat("120"),)), "says otherwise .heat_gj.", id="amount"),
        pytest.param(HALVES, ActivityBook(), "is not among the rows of 2025-07", id="deleted"),
        pytest.param(ActivityBook(), HALVES, "is not among the rows of 2025-06", id="came later"),
        pytest.param(JUNE, ActivityBook(fuel_movements=(diesel(date(2025, 7, 1)),)), "otherwise .day.", id="moved"),
    ],
)
def test_a_row_that_changed_after_its_first_month_was_closed_is_refused(
    ledger: Ledger, first: ActivityBook, second: ActivityBook, said: str
) -> None:
    """Half of it is closed already: with other content the halves would not be one invoice."""
    series = steady_series("2025-05-31T22:00", 24 * 61 + 4)
    close_period(ledger, small_basis(series, first), "2025-06", AUTHOR, AT)
    head = ledger.head()
    with pytest.raises(LedgerError, match=said):
        close_period(ledger, small_basis(series, second), "2025-07", AUTHOR, AT)
    assert ledger.head() == head


def test_the_same_row_from_another_file_and_a_correction_with_its_own_key_are_taken(ledger: Ledger) -> None:
    series = steady_series("2025-05-31T22:00", 24 * 61 + 4)
    close_period(ledger, small_basis(series, HALVES), "2025-06", AUTHOR, AT)
    extra = replace(heat("20", key="H1-more"), start=date(2025, 7, 1))
    second = ActivityBook(heat_purchases=(replace(heat("100"), place="new.csv:9"), extra))
    (close,) = close_period(ledger, small_basis(series, second), "2025-07", AUTHOR, AT)
    assert close.totals.by_scope["scope2_heat"] == round((50 + 20) * Fraction("0.11") * 10**6)


@pytest.mark.parametrize("setting", ['gwp = "AR6"', 'fuel_family = "FUELA"', 'timezone = "Asia/Tokyo"'])
def test_a_year_is_counted_in_one_way(ledger: Ledger, setting: str) -> None:
    series = steady_series("2025-05-31T20:00", 24 * 61 + 4)
    close_period(ledger, small_basis(series), "2025-06", AUTHOR, AT)
    other = SITE.replace("[site]", f"[site]\n{setting}", 1)
    with pytest.raises(LedgerError, match="a year is counted in one way"):
        close_period(ledger, small_basis(series, site_text=other), "2025-07", AUTHOR, AT)


def stock(key: str, day: date, direction: Direction, quantity: int) -> FuelMovement:
    return replace(diesel(day), key=key, direction=direction, quantity=Fraction(quantity))


@pytest.mark.parametrize("opening", [8, 9, 10])
def test_a_month_opens_with_the_stock_that_the_one_before_closed_with(ledger: Ledger, opening: int) -> None:
    """Nine tonnes at the end of June: a tonne more or less on the next morning would be burnt twice or never."""
    series = steady_series("2025-05-31T22:00", 24 * 61 + 4)
    june = (
        stock("S1", date(2025, 6, 1), Direction.OPENING_STOCK, 20),
        stock("S2", date(2025, 6, 30), Direction.CLOSING_STOCK, 9),
    )
    july = (
        stock("S3", date(2025, 7, 1), Direction.OPENING_STOCK, opening),
        stock("S4", date(2025, 7, 31), Direction.CLOSING_STOCK, 2),
    )
    close_period(ledger, small_basis(series, ActivityBook(fuel_movements=june)), "2025-06", AUTHOR, AT)
    basis = small_basis(series, ActivityBook(fuel_movements=july))
    if opening == 9:
        assert len(close_period(ledger, basis, "2025-07", AUTHOR, AT)) == 1
        return
    with pytest.raises(LedgerError, match=f"diesel opens with a stock of {opening}, 2025-06 closed with 9"):
        close_period(ledger, basis, "2025-07", AUTHOR, AT)


@pytest.mark.parametrize(("first", "last"), [(0, 1), (0, 2), (-2, 0), (-1, 1)])
def test_wrong_hourly_readings_over_the_months_end_are_no_energy(ledger: Ledger, first: int, last: int) -> None:
    """Up to three readings in a row show five MWh too much; both months leave them out, and neither closes without
    the boundary that is lost with them until somebody declares it."""
    midnight, hour = at("2025-07-01T00:00"), 3600 * SECOND
    series = steady_series("2025-05-31T20:00", 24 * 61 + 8, 3600)
    whole = dict(series[ENTRY])
    wrong = range(midnight + first * hour, midnight + last * hour + 1, hour)
    series[ENTRY] = [(t_ns, value + 5_000_000 * (t_ns in wrong)) for t_ns, value in series[ENTRY]]
    for month in ("2025-06", "2025-07"):
        with pytest.raises(IncompleteError):
            close_period(ledger, small_basis(series), month, AUTHOR, AT)
    word = DeclaredMissing(
        key="d1", place="by hand", source="note", note="", meter="entry", start=date(2025, 6, 30),
        end=date(2025, 7, 1), method=MissingMethod.LINEAR, person=AUTHOR, reason="radio noise",
    )  # fmt: skip
    book = ActivityBook(declared_missing=(word,))
    closes = [close_period(ledger, small_basis(series, book), month, AUTHOR, AT)[0] for month in ("2025-06", "2025-07")]
    both = sum(close.totals.energy["entry"].value for close in closes)
    assert both == whole[at("2025-08-01T00:00")] - whole[at("2025-06-01T00:00")]


def test_a_dry_run_claims_a_certificate_once_as_the_real_one_does(ledger: Ledger) -> None:
    """The month that had it was restated without it: the next one takes it up, and the one after does not."""
    certificate = Certificate(
        key="G1", place="green.csv:2", source="registry", note="", mwh=Fraction(40), vintage_start=date(2025, 1, 1),
        vintage_end=date(2025, 1, 31), technology="wind", registry="GEC", retired_on=date(2025, 12, 1),
        claimed_for="2025",
    )  # fmt: skip
    book = ActivityBook(certificates=(certificate,))
    series = steady_series("2025-06-30T20:00", 24 * 92 + 8)
    for month in ("2025-07", "2025-08", "2025-09"):
        close_period(ledger, small_basis(series, book), month, AUTHOR, AT)
    restate_month(ledger, account_month(small_basis(series), "2025-07"), AUTHOR, "sold to another plant", AT)
    release = load_release("2026.1")
    dry, real = (
        [not item.difference.is_empty for item in restate(ledger, "2025", release, commit=commit)]
        for commit in (None, (AUTHOR, "the certificate is free", AT))
    )
    assert dry == real == [False, True, False]
