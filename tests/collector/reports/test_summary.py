"""A year is the sum of its months, also where months differ."""

from dataclasses import replace
from fractions import Fraction

import pytest

from shutan_collector.accounting.summary import LedgerMark, Register, YearSummary
from shutan_collector.carbon.lines import Scope
from support.summary_year import MARK, month, year


def test_a_year_adds_up_its_months() -> None:
    whole = year()
    for scope in Scope:
        assert whole.emission_g(scope) == sum(item.emission_g(scope) for item in whole.months)
        assert whole.emission_g(scope) == sum(item.co2e_g for item in whole.emissions if item.scope is scope)
    for use in whole.meters:
        parts = [part for item in whole.months if (part := item.meter(use.meter)) is not None]
        assert use.value == sum(part.value or 0 for part in parts)
        assert use.present == sum(part.present for part in parts)
        assert use.hours == tuple(hour for part in parts for hour in part.hours)
        assert (use.first, use.last) == (parts[0].first, parts[-1].last)
    assert len(whole.meters) == len(whole.months[0].meters)
    assert (whole.closed, whole.complete, whole.provisional) == (True, True, True)
    assert whole.mark == LedgerMark(MARK.head_seq, MARK.head_hash, MARK.key_fingerprint)


def test_eleven_months_are_no_whole_year() -> None:
    part = YearSummary("2025", year().months[:11])
    assert (part.closed, part.complete) == (False, False)


def test_one_open_or_incomplete_month_shows_in_the_year() -> None:
    months = list(year().months)
    months[5] = month("2025-06", closed=False, gap=True)
    whole = YearSummary("2025", tuple(months))
    assert (whole.closed, whole.complete) == (False, False)
    assert [item.reason for item in whole.unvalued] == ["gap"]


def test_a_month_without_value_leaves_the_year_without() -> None:
    months = list(year().months)
    first = months[3].meters[0]
    broken = replace(first, value=None, estimated=True, exact=False, expected=None)
    months[3] = replace(months[3], meters=(broken, *months[3].meters[1:]))
    use = YearSummary("2025", tuple(months)).meter(first.meter)
    assert use is not None
    assert (use.value, use.estimated, use.exact, use.expected) == (None, True, False, None)


def test_a_meter_of_the_second_half_year_counts_from_there() -> None:
    months = [replace(item, meters=item.meters[:-1]) if int(item.period[-2:]) < 7 else item for item in year().months]
    last = year().months[0].meters[-1].meter
    use = YearSummary("2025", tuple(months)).meter(last)
    assert use is not None
    assert use.value == sum(item.meter(last).value or 0 for item in year().months[6:] if item.meter(last))  # pyright: ignore[reportOptionalMemberAccess] every month has it
    assert isinstance(use.first, Register)


def test_factors_of_a_year_stand_once_in_order() -> None:
    ids = [row.id for row in year().factors]
    assert ids == sorted(set(ids))


def test_unknown_meters_and_empty_years() -> None:
    assert month("2025-06").meter("nothing") is None
    assert year().meter("nothing") is None
    with pytest.raises(ValueError, match="2025 has no month"):
        _ = YearSummary("2025", ()).site


def test_marks_of_a_year_are_those_of_any_month() -> None:
    months = [replace(item, provisional=False) for item in year().months]
    assert not YearSummary("2025", tuple(months)).provisional
    months[7] = replace(months[7], provisional=True)
    assert YearSummary("2025", tuple(months)).provisional
    assert Fraction(sum(item.gas_g for item in year().emissions)) > 0
