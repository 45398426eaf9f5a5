"""Calendar periods of a site."""

from datetime import date, time
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shutan_collector.errors import RequestError
from shutan_collector.periods import NS_PER_S, Kind, Shift, Span, iso, parse_instant, split
from support.accounting import SHANGHAI, at

BERLIN = ZoneInfo("Europe/Berlin")
THREE_SHIFTS = (
    Shift("early", time(6), time(14)),
    Shift("late", time(14), time(22)),
    Shift("night", time(22), time(6)),
)


def test_a_local_day_begins_at_local_midnight() -> None:
    assert parse_instant("2026-06-01", SHANGHAI, "--from") == 1_780_243_200 * NS_PER_S  # 2026-05-31T16:00Z
    assert parse_instant("2026-06-01T08:00+08:00", BERLIN, "--from") == at("2026-06-01T08:00")
    assert parse_instant("2026-06-01T00:00Z", SHANGHAI, "--from") == at("2026-06-01T08:00")


@pytest.mark.parametrize("text", ["2026-13-01", "yesterday", "", "2026-02-30", "01.06.2026"])
def test_what_is_not_a_date_is_named(text: str) -> None:
    with pytest.raises(RequestError) as caught:
        parse_instant(text, SHANGHAI, "--from")
    assert caught.value.where == "--from"
    assert "2026-06-01T08:00" in caught.value.reason


def test_iso_text_is_exact_to_the_nanosecond() -> None:
    assert iso(at("2026-06-01T08:00"), SHANGHAI) == "2026-06-01T08:00:00+08:00"
    assert iso(at("2026-06-01T08:00") + 1, SHANGHAI) == "2026-06-01T08:00:00.000000001+08:00"
    assert iso(-1, ZoneInfo("UTC")) == "1969-12-31T23:59:59.999999999+00:00"


def test_hours_of_a_day_and_days_of_a_year() -> None:
    assert len(split(at("2026-06-01"), at("2026-06-02"), Kind.HOUR, SHANGHAI)) == 24
    assert len(split(at("2026-06-01"), at("2026-06-02"), Kind.QUARTER, SHANGHAI)) == 96
    assert len(split(at("2026-01-01"), at("2027-01-01"), Kind.DAY, SHANGHAI)) == 365
    assert len(split(at("2024-01-01"), at("2025-01-01"), Kind.MONTH, SHANGHAI)) == 12


def test_daylight_saving_gives_days_of_23_and_25_hours() -> None:
    def hours(day: str, next_day: str) -> int:
        start, end = (parse_instant(text, BERLIN, "") for text in (day, next_day))
        return len(split(start, end, Kind.HOUR, BERLIN))

    assert hours("2026-03-29", "2026-03-30") == 23
    assert hours("2026-10-25", "2026-10-26") == 25
    march = split(parse_instant("2026-03-01", BERLIN, ""), parse_instant("2026-04-01", BERLIN, ""), Kind.MONTH, BERLIN)
    assert [span.length_ns for span in march] == [(31 * 24 - 1) * 3600 * NS_PER_S]


def test_what_the_request_cuts_is_marked_partial() -> None:
    spans = split(at("2026-06-01T00:30"), at("2026-06-01T02:30"), Kind.HOUR, SHANGHAI)
    assert [(span.length_ns // NS_PER_S // 60, span.partial) for span in spans] == [(30, True), (60, False), (30, True)]


@pytest.mark.parametrize(("start", "end"), [("2026-06-02", "2026-06-01"), ("2026-06-01", "2026-06-01")])
def test_a_request_without_time_is_refused(start: str, end: str) -> None:
    with pytest.raises(RequestError, match="is not after --from"):
        split(at(start), at(end), Kind.HOUR, SHANGHAI)


def test_an_absurd_request_is_refused_before_it_fills_the_memory() -> None:
    with pytest.raises(RequestError, match="more than"):
        split(at("1026-06-01"), at("2026-06-01"), Kind.QUARTER, SHANGHAI)


@pytest.mark.parametrize("kind", list(Kind))
def test_a_year_that_the_calendar_does_not_hold_is_refused(kind: Kind) -> None:
    with pytest.raises(RequestError, match="lies after the year 8999"):
        split(at("9999-12-30"), at("9999-12-31"), kind, SHANGHAI, THREE_SHIFTS)


@settings(deadline=None)  # shared machines stall
@given(
    st.integers(at("2020-01-01"), at("2030-01-01")),
    st.integers(1, 90 * 86_400 * NS_PER_S),
    st.sampled_from(list(Kind)),
    st.sampled_from([SHANGHAI, BERLIN, ZoneInfo("Asia/Kolkata")]),
)
def test_periods_cover_the_request_without_hole_or_overlap(start: int, length: int, kind: Kind, zone: ZoneInfo) -> None:
    spans = split(start, start + length, kind, zone, THREE_SHIFTS)
    assert spans[0].start_ns == start
    assert spans[-1].end_ns == start + length
    assert all(left.end_ns == right.start_ns for left, right in pairwise(spans))
    assert all(span.length_ns > 0 for span in spans)
    assert not any(span.partial for span in spans[1:-1])


def test_a_night_shift_belongs_to_the_day_on_which_it_starts() -> None:
    spans = split(at("2026-06-01T06:00"), at("2026-06-03T06:00"), Kind.SHIFT, SHANGHAI, THREE_SHIFTS)
    assert [(span.name, span.day) for span in spans] == [
        (shift.name, date(2026, 6, day)) for day in (1, 2) for shift in THREE_SHIFTS
    ]
    assert (spans[2].start_ns, spans[2].end_ns) == (at("2026-06-01T22:00"), at("2026-06-02T06:00"))
    assert not any(span.partial for span in spans)


def test_shifts_of_a_calendar_day_are_cut_at_midnight_and_marked_partial() -> None:
    spans = split(at("2026-06-01"), at("2026-06-02"), Kind.SHIFT, SHANGHAI, THREE_SHIFTS)
    assert [(span.name, span.day and span.day.isoformat(), span.partial) for span in spans] == [
        ("night", "2026-05-31", True),
        ("early", "2026-06-01", False),
        ("late", "2026-06-01", False),
        ("night", "2026-06-01", True),
    ]


def test_time_between_shifts_is_a_span_without_name() -> None:
    one = (Shift("day", time(8), time(17, 30)),)
    spans = split(at("2026-06-01"), at("2026-06-02"), Kind.SHIFT, SHANGHAI, one)
    assert [(span.name, span.length_ns // NS_PER_S // 60) for span in spans] == [("", 480), ("day", 570), ("", 390)]


def test_a_shift_of_24_hours_runs_from_its_start_to_its_start() -> None:
    spans = split(
        at("2026-06-01T07:00"), at("2026-06-02T07:00"), Kind.SHIFT, SHANGHAI, [Shift("all", time(7), time(7))]
    )
    assert spans == (Span(at("2026-06-01T07:00"), at("2026-06-02T07:00"), name="all", day=date(2026, 6, 1)),)


def test_a_shift_that_summer_time_swallows_is_left_out() -> None:
    """On 29 March 2026 the clocks of Berlin go from 02:00 to 03:00: 02:30 is an instant after 03:00."""
    shifts = (
        Shift("night", time(22), time(2)),
        Shift("swallowed", time(2, 30), time(3)),
        Shift("early", time(3), time(9)),
    )
    start, end = (parse_instant(f"2026-03-{day}T12:00", BERLIN, "") for day in (28, 29))
    spans = split(start, end, Kind.SHIFT, BERLIN, shifts)
    assert [span.name for span in spans] == ["", "night", "", "early", ""]
    assert all(left.end_ns == right.start_ns for left, right in pairwise(spans))
    assert all(span.length_ns > 0 for span in spans)


def test_shifts_that_the_site_does_not_have_are_refused() -> None:
    with pytest.raises(RequestError, match=r"the site model has no \[\[shift\]\]"):
        split(at("2026-06-01"), at("2026-06-02"), Kind.SHIFT, SHANGHAI)


def test_years_are_calendar_years_of_the_zone() -> None:
    spans = split(at("2024-01-01"), at("2026-07-01"), Kind.YEAR, SHANGHAI)
    assert [(span.length_ns // NS_PER_S // 86_400, span.partial) for span in spans] == [
        (366, False),
        (365, False),
        (181, True),
    ]
