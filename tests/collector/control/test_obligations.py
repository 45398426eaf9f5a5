"""Allowances, deadlines and the certificate ledger."""

from dataclasses import dataclass, replace
from datetime import date
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shutan_collector.activity.kinds import ActivityBook, Certificate
from shutan_collector.control.allowance import (
    Holdings,
    allowance_position,
    allowance_rules,
    ccer_limit,
    estimated_rate,
    included,
)
from shutan_collector.control.certificates import certificate_ledger
from shutan_collector.control.deadlines import next_due, packaged_deadlines, parse_deadlines
from shutan_collector.errors import ControlError, FactorError
from shutan_collector.factors.table import FactorTable, packaged_factors

TABLE = packaged_factors()
AMOUNTS = st.fractions(0, 10**6)


def test_2024_allocation_is_what_was_verified() -> None:
    rules = allowance_rules(TABLE, 2024)
    position = allowance_position(rules, Holdings(Fraction(31_000), is_verified=True))
    assert [row.id for row in rules.rows] == ["ETS-2024-ALLOC"]
    assert (position.allocated_low_t, position.allocated_high_t, position.pre_allocated_t) == (31_000, 31_000, None)
    assert (position.balance_low_t, position.balance_high_t) == (0, 0)


def test_2025_by_hand() -> None:
    rules = allowance_rules(TABLE, 2025)
    unknown = allowance_position(rules, Holdings(Fraction(30_000), prior_verified_t=Fraction(29_000)))
    assert unknown.pre_allocated_t == 20_300
    assert (unknown.allocated_low_t, unknown.allocated_high_t) == (29_100, 30_900)
    assert (unknown.balance_low_t, unknown.balance_high_t) == (-900, 900)
    assert unknown.still_to_come_t == 29_100 - 20_300
    stated = allowance_position(
        rules,
        Holdings(
            Fraction(30_000),
            is_verified=True,
            rate=Fraction(-2, 100),
            carried_over_t=Fraction(100),
            bought_t=Fraction(50),
            sold_t=Fraction(30),
            ccer_t=Fraction(200),
        ),
    )
    assert stated.allocated_low_t == stated.allocated_high_t == 29_400
    assert stated.balance_low_t == 29_400 + 100 + 50 - 30 + 200 - 30_000
    assert not stated.cut


def test_rate_is_cut_to_three_percent() -> None:
    rules = allowance_rules(TABLE, 2025)
    for rate, allocated in ((Fraction(5, 100), 1030), (Fraction(-5, 100), 970)):
        position = allowance_position(rules, Holdings(Fraction(1000), rate=rate))
        assert (position.cut, position.allocated_low_t) == (True, allocated)


def test_ccer_counts_up_to_five_percent_of_the_surrender() -> None:
    position = allowance_position(allowance_rules(TABLE, 2024), Holdings(Fraction(1000), ccer_t=Fraction(80)))
    assert (position.ccer_limit_t, position.ccer_counted_t, position.balance_low_t) == (50, 50, 50)
    assert ccer_limit() == Fraction(5, 100)


@given(AMOUNTS, AMOUNTS, AMOUNTS, AMOUNTS, st.none() | st.fractions(-1, 1))
def test_position_adds_up(
    verified: Fraction, bought: Fraction, sold: Fraction, ccer: Fraction, rate: Fraction | None
) -> None:
    holdings = Holdings(verified, bought_t=bought, sold_t=sold, ccer_t=ccer, rate=rate)
    position = allowance_position(allowance_rules(TABLE, 2025), holdings)
    for allocated, balance in (
        (position.allocated_low_t, position.balance_low_t),
        (position.allocated_high_t, position.balance_high_t),
    ):
        assert allocated + bought - sold + position.ccer_counted_t == position.surrender_t + balance
        assert abs(allocated - verified) <= verified * Fraction(3, 100)
    assert position.balance_low_t <= position.balance_high_t


@pytest.mark.parametrize("year", [2023, 2026])
def test_year_without_a_row_is_an_error_not_a_default(year: int) -> None:
    with pytest.raises(FactorError, match=f"ets allocation_ratio {year}"):
        allowance_rules(TABLE, year)


def test_half_of_the_rules_is_no_rule() -> None:
    for without, missing in (("ETS-2025-CAP", "surplus_limit"), ("ETS-2025-PREALLOC", "prealloc_ratio")):
        table = FactorTable(row for row in TABLE if row.id != without)
        with pytest.raises(FactorError, match=f"ets {missing} 2025"):
            allowance_rules(table, 2025)


def test_two_rows_of_a_year_and_a_wrong_unit_are_refused() -> None:
    row = TABLE.by_id("ETS-2024-ALLOC")
    with pytest.raises(FactorError, match="ambiguous: ETS-2024-ALLOC, ETS-X"):
        allowance_rules(FactorTable([row, replace(row, id="ETS-X")]), 2024)
    with pytest.raises(FactorError, match="unit is %, expected t/t"):
        allowance_rules(FactorTable([replace(row, unit="%")]), 2024)


def test_threshold_of_inclusion() -> None:
    assert included(TABLE, Fraction(26_000), 2025)
    assert not included(TABLE, Fraction(25_999), 2025)
    with pytest.raises(FactorError, match="ets threshold 2020"):
        included(TABLE, Fraction(1), 2020)


def test_amounts_below_zero_are_all_told() -> None:
    with pytest.raises(ControlError) as told:
        allowance_position(allowance_rules(TABLE, 2024), Holdings(Fraction(-1), sold_t=Fraction(-2)))
    assert [problem.key for problem in told.value.problems] == ["verified_t", "sold_t"]


def test_estimated_rate() -> None:
    assert estimated_rate(Fraction(98), Fraction(100)) == Fraction(2, 100)
    with pytest.raises(ControlError, match="must be above zero"):
        estimated_rate(Fraction(98), Fraction(0))


@pytest.mark.parametrize(
    ("today", "expected"),
    [
        (
            "2026-02-01",
            {"ets-monthly-archive": ("2025-12", "2026-02-09", 8), "ets-annual-report": ("2025", "2026-03-31", 58)},
        ),
        ("2026-03-31", {"ets-annual-report": ("2025", "2026-03-31", 0), "ets-surrender": ("2025", "2026-12-31", 275)}),
        ("2026-04-01", {"ets-annual-report": ("2026", "2027-03-31", 364)}),
        (
            "2026-12-31",
            {"ets-surrender": ("2025", "2026-12-31", 0), "ets-monthly-archive": ("2026-11", "2027-01-09", 9)},
        ),
    ],
)
def test_next_deadlines(today: str, expected: dict[str, tuple[str, str, int]]) -> None:
    due = next_due(packaged_deadlines(), date.fromisoformat(today))
    found = {item.deadline.id: (item.period, item.day.isoformat(), item.days_left) for item in due}
    assert {name: found[name] for name in expected} == expected
    assert [item.day for item in due] == sorted(item.day for item in due)


@given(st.dates(date(2024, 6, 1), date(2090, 1, 1)))
def test_a_deadline_is_never_behind(today: date) -> None:
    due = next_due(packaged_deadlines(), today)
    assert len(due) == len(packaged_deadlines())
    assert all(item.day >= today and (item.day - today).days == item.days_left for item in due)
    monthly = next(item for item in due if item.deadline.days_after_month)
    assert monthly.days_left <= 31


def test_packaged_deadlines_name_source_and_confidence() -> None:
    assert all(item.source and item.confidence in {"high", "medium", "low"} for item in packaged_deadlines())


def test_deadline_that_no_longer_holds_is_left_out() -> None:
    text = (
        '[[deadline]]\nid = "x"\nen = "x"\nzh = "x"\nmonth = 2\nday = 29\nyears_after = 1\n'
        'from = 2023\nto = 2024\nsource = "s"\nconfidence = "low"\n'
    )
    deadlines = parse_deadlines(text, "d.toml")
    assert [item.day for item in next_due(deadlines, date(2024, 1, 1))] == [date(2024, 2, 29)]
    assert [item.day for item in next_due(deadlines, date(2025, 1, 1))] == [date(2025, 2, 28)]
    assert next_due(deadlines, date(2025, 3, 1)) == ()


def test_mistakes_of_a_deadline_file_are_all_told() -> None:
    text = (
        '[[deadline]]\nid = "x"\nen = "x"\nzh = "x"\nmonth = 2\nday = 30\nfrom = 2024\n'
        'source = "s"\nconfidence = "sure"\n'
        '[[deadline]]\nid = "x"\nen = "x"\nzh = "x"\ndays_after_month = 400\nfrom = 2024\nconfidence = "low"\n'
    )
    with pytest.raises(ControlError) as told:
        parse_deadlines(text, "d.toml")
    assert [problem.key for problem in told.value.problems] == [
        "deadline[1].day",
        "deadline[1].confidence",
        "deadline[2].days_after_month",
        "deadline[2].source",
        "deadline[2].id",
    ]


@dataclass(frozen=True)
class _Claim:
    certificate: str
    energy_wh: int
    period: str


def _certificate(key: str, mwh: int, retired_on: date | None = None, claimed_for: str = "") -> Certificate:
    return Certificate(
        key=key,
        mwh=Fraction(mwh),
        vintage_start=date(2025, 1, 1),
        vintage_end=date(2025, 1, 31),
        technology="wind",
        registry="r",
        retired_on=retired_on,
        claimed_for=claimed_for,
    )


def test_certificate_ledger_by_hand() -> None:
    book = ActivityBook(
        certificates=(
            _certificate("A", 10, date(2025, 7, 5), "2025"),
            _certificate("B", 5, date(2026, 1, 2)),
            _certificate("C", 1),
        )
    )
    claims = [_Claim("A", 4_000_000, "2025-06"), _Claim("A", 2_500_000, "2025-05")]
    ledger = certificate_ledger(book, claims, date(2025, 12, 31))
    assert (ledger.issued_mwh, ledger.retired_mwh, ledger.claimed_mwh, ledger.remaining_mwh) == (
        16,
        10,
        Fraction("6.5"),
        Fraction("9.5"),
    )
    assert ledger.accounts[0].claims == (("2025-05", Fraction("2.5")), ("2025-06", 4))


@given(st.lists(st.integers(1, 2_000_000), max_size=6))
def test_claims_pass_up_to_what_a_certificate_holds_and_not_beyond(energies: list[int]) -> None:
    book = ActivityBook(certificates=(_certificate("A", 5),))
    claims = [_Claim("A", energy, f"2025-{number:02}") for number, energy in enumerate(energies, 1)]
    if sum(energies) > 5_000_000:
        with pytest.raises(ControlError, match="it holds 5"):
            certificate_ledger(book, claims, date(2025, 12, 31))
    else:
        ledger = certificate_ledger(book, claims, date(2025, 12, 31))
        assert ledger.claimed_mwh + ledger.remaining_mwh == ledger.issued_mwh
        assert ledger.remaining_mwh >= 0


def test_every_wrong_claim_is_told() -> None:
    book = ActivityBook(certificates=(_certificate("A", 1, claimed_for="2025-06"), _certificate("B", 1)))
    claims = [
        _Claim("X", 1, "2025-06"),
        _Claim("A", 1_000_001, "2025-07"),
        _Claim("B", 1, "2025-06"),
        _Claim("B", 1, "2025-06"),
        _Claim("B", 0, "2025-07"),
    ]
    with pytest.raises(ControlError) as told:
        certificate_ledger(book, claims, date(2025, 12, 31))
    assert [str(problem) for problem in told.value.problems] == [
        "X: is claimed, but no certificate of that id is in the book",
        "A: 1.000001 MWh are claimed (2025-07), it holds 1",
        "A: is claimed in 2025-07, but meant for 2025-06",
        "B: the claim of 2025-07 is not above zero",
        "B: is claimed twice in 2025-06",
    ]
