"""The book: which rows a month rests on, documents and back, what an import changes."""

from dataclasses import replace
from datetime import date, datetime
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shutan_collector.activity.documents import bodies, book_of, row_from, row_object
from shutan_collector.activity.history import diff, merged
from shutan_collector.activity.kinds import (
    KINDS,
    ActivityBook,
    Certificate,
    Fermentation,
    GreenPower,
    LandArea,
    ManualReading,
    Production,
    Row,
    SupplierInput,
    Wastewater,
    days_of,
    month_share,
    months_of,
)
from shutan_collector.errors import CollectorError, RequestError
from shutan_collector.ledger.canonical import canonical, parse
from shutan_collector.periods import to_ns
from support.activities import CHINA, any_book

FEW = settings(max_examples=40)  # a book of rows is large; what is new is in the first examples
DAYS = st.dates(date(2020, 1, 1), date(2030, 12, 31))


def _ns(day: str) -> int:
    return to_ns(datetime.fromisoformat(day).replace(tzinfo=CHINA))


def _refs(*rows: Row, period: str) -> list[str]:
    return [row.key for row in ActivityBook.of(rows, CHINA).select(period)]


@given(DAYS, DAYS)
def test_a_document_is_divided_over_months_without_rest(one: date, other: date) -> None:
    start, end = min(one, other), max(one, other)
    months = months_of(start, end)
    assert sum(month_share(start, end, month) for month in months) == 1
    assert all(month_share(start, end, month) > 0 for month in months)


def test_a_bill_from_26th_to_25th_is_divided_by_days() -> None:
    assert month_share(date(2025, 5, 26), date(2025, 6, 25), "2025-05") == Fraction(6, 31)
    assert month_share(date(2025, 5, 26), date(2025, 6, 25), "2025-06") == Fraction(25, 31)
    assert month_share(date(2025, 5, 26), date(2025, 6, 25), "2025-07") == 0


def test_days_of_a_period() -> None:
    assert days_of("2024-02") == (date(2024, 2, 1), date(2024, 2, 29))
    assert days_of("2025") == (date(2025, 1, 1), date(2025, 12, 31))


@pytest.mark.parametrize("period", ["2025-13", "2025-6", "25-06", "0000", "June"])
def test_what_is_not_a_period(period: str) -> None:
    with pytest.raises(RequestError, match="is not a month such as 2025-06"):
        days_of(period)


def test_rows_with_start_and_end_belong_to_every_month_they_touch() -> None:
    row = Wastewater(
        key="W",
        start=date(2025, 5, 26),
        end=date(2025, 6, 1),
        cod_removed_kg=Fraction(1),
        sludge_cod_kg=Fraction(0),
        mcf=Fraction(1),
        recovered_ch4_kg=Fraction(0),
    )
    assert [_refs(row, period=period) for period in ("2025-04", "2025-05", "2025-06", "2025-07", "2025")] == [
        [],
        ["W"],
        ["W"],
        [],
        ["W"],
    ]


def test_a_day_belongs_to_one_month() -> None:
    rows = [
        Fermentation(key=day, day=date.fromisoformat(day), ethanol_t=Fraction(1))
        for day in ("2025-05-31", "2025-06-01")
    ]
    assert _refs(*rows, period="2025-05") == ["2025-05-31"]
    assert _refs(*rows, period="2025-06") == ["2025-06-01"]


def test_a_batch_counts_once_in_the_month_in_which_it_ends_by_local_time() -> None:
    def batch(key: str, start: str, end: str) -> Production:
        return Production(
            key=key,
            product="p",
            batch="b",
            start_ns=_ns(start),
            end_ns=_ns(end),
            asset="a",
            line="l",
            good=Fraction(1),
            scrap=Fraction(0),
            unit="kg",
        )

    rows = [
        batch("over", "2025-05-31T20:00", "2025-06-01T04:00"),
        batch("till", "2025-05-31T20:00", "2025-06-01T00:00"),
    ]
    assert _refs(*rows, period="2025-05") == ["till"]
    assert _refs(*rows, period="2025-06") == ["over"]


def test_manual_readings_around_a_month_come_with_it() -> None:
    days = ("2025-04-30", "2025-05-31", "2025-06-10", "2025-07-02", "2025-08-01")
    rows = [ManualReading(key=day, meter="m", time_ns=_ns(day), register=1, person="Li") for day in days]
    assert _refs(*rows, period="2025-06") == ["2025-05-31", "2025-06-10", "2025-07-02"]


def test_certificates_by_claim_and_by_the_green_power_that_names_them() -> None:
    def certificate(key: str, claimed_for: str) -> Certificate:
        return Certificate(
            key=key,
            mwh=Fraction(1),
            vintage_start=date(2025, 1, 1),
            vintage_end=date(2025, 1, 31),
            technology="wind",
            registry="r",
            claimed_for=claimed_for,
        )

    rows = (
        certificate("month", "2025-06"),
        certificate("year", "2025"),
        certificate("other", "2025-07"),
        certificate("held", ""),
        certificate("named", ""),
        GreenPower(key="G", month="2025-06", mwh=Fraction(1), certificate="named"),
    )
    assert _refs(*rows, period="2025-06") == ["month", "year", "named", "G"]
    assert _refs(*rows, period="2025") == ["month", "year", "other", "named", "G"]


def test_land_area_in_force_and_supplier_data_known_by_year() -> None:
    land = [
        LandArea(key=str(day), start=day, area_m2=Fraction(1))
        for day in (date(2020, 1, 1), date(2025, 1, 1), date(2025, 6, 15))
    ]
    assert _refs(*land, period="2025-06") == ["2025-01-01", "2025-06-15"]
    assert _refs(*land, period="2024-06") == ["2020-01-01"]
    inputs = [
        SupplierInput(
            key=str(year),
            product="p",
            material="m",
            quantity_per_unit=Fraction(1),
            unit="kg",
            kg_co2e_per_unit=Fraction(1),
            geography="CN",
            year=year,
            primary=True,
        )
        for year in (2024, 2025, 2026)
    ]
    assert _refs(*inputs, period="2025-06") == ["2024", "2025"]


@FEW
@given(any_book(), st.integers(1, 12))
def test_what_a_month_rests_on_is_the_same_when_selected_again(book: ActivityBook, month: int) -> None:
    chosen = book.select(f"2025-{month:02}")
    assert chosen.select(f"2025-{month:02}") == chosen
    assert set(chosen) <= set(book)


@FEW
@given(any_book())
def test_a_year_rests_on_everything_its_months_rest_on(book: ActivityBook) -> None:
    by_month = {
        row for month in range(1, 13) for row in book.select(f"2025-{month:02}") if row.KIND != "manual_reading"
    }
    assert by_month <= set(book.select("2025"))


@FEW
@given(any_book())
def test_documents_give_every_book_back_exactly(book: ActivityBook) -> None:
    documents = bodies(book)
    written = parse(canonical(documents))
    assert isinstance(written, dict)
    assert book_of({name: dict(body) for name, body in written.items() if isinstance(body, dict)}, CHINA) == book


def test_a_row_of_a_document_with_another_shape_is_refused() -> None:
    row = LandArea(key="L", start=date(2025, 1, 1), area_m2=Fraction(1, 3))
    whole = row_object(row)
    assert row_from("land_area", whole) == row
    for changed in (
        {"area_m2": "x"},
        {"area_m2": 1},
        {"area_m2": "1/0"},
        {"start": "2025-02-30"},
        {"more": 1},
        {"start": None},
    ):
        with pytest.raises(CollectorError, match="activities/land_area/L"):
            row_from("land_area", {**whole, **changed})
    with pytest.raises(CollectorError, match="'land' is not a kind of activity"):
        row_from("land", whole)


@FEW
@given(any_book(), any_book())
def test_changes_lead_from_the_old_book_to_the_new(old: ActivityBook, new: ActivityBook) -> None:
    changes = diff(old, new)
    rows = {row.ref: replace(row, place="") for row in old}
    for row in changes.removed:
        del rows[row.ref]
    for row in (*changes.added, *(change.new for change in changes.changed)):
        rows[row.ref] = replace(row, place="")
    assert rows == {row.ref: replace(row, place="") for row in new}
    assert {row.ref for row in merged(old, new)} == {row.ref for row in (*old, *new)}


@FEW
@given(any_book())
def test_nothing_changes_between_equal_books(book: ActivityBook) -> None:
    assert not diff(book, book)
    moved = ActivityBook.of((replace(row, place=f"{row.place}9") for row in book), CHINA)
    assert not diff(book, moved)
    unique = ActivityBook.of({row.ref: row for row in book}.values(), CHINA)
    assert merged(unique, unique) == unique


def test_a_changed_row_names_its_fields() -> None:
    old = LandArea(key="L", start=date(2025, 1, 1), area_m2=Fraction(1))
    new = replace(old, area_m2=Fraction(2), note="survey", place="other:1")
    [change] = diff(ActivityBook(land_areas=(old,)), ActivityBook(land_areas=(new,))).changed
    assert (change.old, change.new, change.fields) == (old, new, ("note", "area_m2"))


def test_every_kind_is_a_row_type_of_its_own_name() -> None:
    assert all(name == kind.KIND for name, kind in KINDS.items())
