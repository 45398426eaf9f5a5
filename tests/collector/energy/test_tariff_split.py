"""Time-of-use split: bands sum to the whole, to the Wh; money is exact to the fen."""

from fractions import Fraction
from itertools import accumulate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shutan_collector.energy.measure import Estimate
from shutan_collector.energy.tariff import quantise_fen, split_by_tariff, split_flows
from shutan_collector.errors import RequestError
from shutan_collector.periods import Kind
from shutan_collector.site.tariff import Band
from shutan_collector.site.tariff_file import parse_tariff
from support.accounting import SECOND, SHANGHAI, Readings, at, steady
from support.energy import energy_of
from support.tariff import TARIFF

RULES = parse_tariff(TARIFF, "tariff.toml")
MONDAY = ("2025-06-02T00:00", "2025-06-03T00:00")


def _without(readings: Readings, start: str, end: str) -> Readings:
    return [reading for reading in readings if not at(start) < reading[0] < at(end)]


def test_a_workday_by_hand() -> None:
    """1 kW all day: valley 8 h, flat 3 + 5 h, peak 8 h."""
    energy = energy_of(steady(MONDAY[0], 24, 1000, interval_s=900), *MONDAY, Kind.QUARTER)
    split = split_by_tariff(energy, RULES, SHANGHAI)
    found = {line.band: (line.energy_wh, line.cost_fen) for line in split.lines}
    assert found == {
        Band.VALLEY: (8000, 208),  # 8 kWh x 0.2603 = 2.0824 yuan
        Band.FLAT: (8000, 521),  # 5.2064
        Band.PEAK: (8000, 833),  # 8.3296
    }
    assert (split.unallocated_wh, split.measured_wh, split.cost_fen) == (0, 24_000, 208 + 521 + 833)
    assert (split.exact, [line.estimated for line in split.lines]) == (True, [False] * 3)
    assert (split.energy_wh(Band.PEAK), split.energy_wh(Band.SHARP)) == (8000, 0)


def test_months_holidays_and_worked_saturdays() -> None:
    """Six days of 1 kW in October 2025, from a holiday to a worked Saturday, and one in July."""
    for start, end, bands in (
        ("2025-10-01", "2025-10-02", {"deep_valley": 24_000}),
        ("2025-10-02", "2025-10-03", {"valley": 8_000, "flat": 8_000, "peak": 8_000}),
        ("2025-10-05", "2025-10-06", {"deep_valley": 24_000}),
        ("2025-10-11", "2025-10-12", {"valley": 8_000, "flat": 8_000, "peak": 8_000}),
        ("2025-07-05", "2025-07-06", {"valley": 8_000, "flat": 8_000, "peak": 6_000, "sharp": 2_000}),
        ("2025-12-31", "2026-01-01", {"valley": 8_000, "flat": 8_000, "peak": 8_000}),
        ("2026-01-01", "2026-01-02", {"valley": 12_000, "peak": 12_000}),
    ):
        energy = energy_of(steady(start, 24, 1000), start, end, Kind.QUARTER)
        split = split_by_tariff(energy, RULES, SHANGHAI)
        assert {line.band.value: line.energy_wh for line in split.lines} == bands


def test_a_band_without_price_has_no_cost_and_so_has_the_sum() -> None:
    energy = energy_of(steady("2025-07-01", 24, 1000), "2025-07-01", "2025-07-02", Kind.QUARTER)
    split = split_by_tariff(energy, RULES, SHANGHAI)
    assert {line.band.value: line.cost_fen for line in split.lines} == {
        "valley": None,
        "flat": 521,
        "peak": None,
        "sharp": None,
    }
    assert split.cost_fen is None


def test_a_change_of_price_inside_the_request_makes_a_line_of_its_own() -> None:
    energy = energy_of(steady("2025-06-30", 48, 1000), "2025-06-30", "2025-07-02", Kind.QUARTER)
    flat = [line for line in split_by_tariff(energy, RULES, SHANGHAI).lines if line.band is Band.FLAT]
    assert [line.price and line.price.start.isoformat() for line in flat] == ["2025-01-01", "2025-07-01"]
    assert [line.energy_wh for line in flat] == [8000, 8000]


def test_a_gap_within_one_band_belongs_to_it() -> None:
    readings = _without(steady(MONDAY[0], 24, 1000, interval_s=900), "2025-06-02T11:00", "2025-06-02T17:00")
    energy = energy_of(readings, *MONDAY, Kind.QUARTER)
    split = split_by_tariff(energy, RULES, SHANGHAI)
    assert (split.energy_wh(Band.PEAK), split.unallocated_wh) == (8000, 0)


def test_a_gap_over_a_change_of_band_is_unallocated() -> None:
    readings = _without(steady(MONDAY[0], 24, 1000, interval_s=900), "2025-06-02T17:00", "2025-06-02T19:00")
    energy = energy_of(readings, *MONDAY, Kind.QUARTER)
    split = split_by_tariff(energy, RULES, SHANGHAI)
    assert (split.energy_wh(Band.PEAK), split.energy_wh(Band.FLAT), split.unallocated_wh) == (7000, 7000, 2000)
    assert split.measured_wh == energy.measured == 24_000
    assert split.cost_fen is None


def test_a_gap_over_midnight_within_the_valley_belongs_to_it() -> None:
    readings = _without(steady(MONDAY[0], 48, 1000, interval_s=900), "2025-06-02T23:00", "2025-06-03T06:00")
    energy = energy_of(readings, MONDAY[0], "2025-06-04T00:00", Kind.QUARTER)
    assert split_by_tariff(energy, RULES, SHANGHAI).unallocated_wh == 0


def test_a_gap_over_a_change_of_price_is_unallocated_though_the_band_goes_on() -> None:
    readings = _without(steady("2025-06-30", 48, 1000, interval_s=900), "2025-06-30T23:00", "2025-07-01T06:00")
    energy = energy_of(readings, "2025-06-30", "2025-07-02", Kind.QUARTER)
    assert split_by_tariff(energy, RULES, SHANGHAI).unallocated_wh == 7000


def test_estimates_and_unknown_amounts_are_told() -> None:
    readings = _without(steady(MONDAY[0], 24, 1000, interval_s=900), "2025-06-02T17:00", "2025-06-02T19:00")
    energy = energy_of(readings, *MONDAY, Kind.QUARTER, estimate=Estimate.LINEAR)
    split = split_by_tariff(energy, RULES, SHANGHAI)
    assert {line.band.value: line.estimated for line in split.lines} == {"valley": False, "flat": True, "peak": True}
    assert (split.exact, split.unallocated_wh, split.measured_wh) == (True, 0, 24_000)
    reset = [*steady(MONDAY[0], 12, 1000, 50_000, 900)[:-1], *steady("2025-06-02T12:00", 12, 1000, 0, 900)]
    assert not split_by_tariff(energy_of(reset, *MONDAY, Kind.QUARTER), RULES, SHANGHAI).exact


def test_a_day_without_tariff_is_an_error() -> None:
    energy = energy_of(steady("2027-01-01", 1, 1000), "2027-01-01", "2027-01-01T01:00", Kind.QUARTER)
    with pytest.raises(RequestError, match="none is in force on 2027-01-01"):
        split_by_tariff(energy, RULES, SHANGHAI)


def test_nothing_measured_is_no_split() -> None:
    split = split_flows((), RULES, SHANGHAI)
    assert (split.lines, split.measured_wh, split.exact) == ((), 0, False)


def test_fen_go_half_to_even() -> None:
    assert [quantise_fen(Fraction(number, 1000)) for number in (5, 15, 25, -5, 14)] == [0, 2, 2, 0, 1]


@settings(deadline=None, max_examples=60)  # shared machines stall
@given(
    st.sets(st.integers(0, 3 * 96 * 15), min_size=2, max_size=250),
    st.data(),
)
def test_bands_and_unallocated_sum_to_what_was_measured(minutes: set[int], data: st.DataObject) -> None:
    """Readings at any minutes over a weekend with its Monday; whatever is missing, nothing is lost and nothing made."""
    times = sorted(minutes)
    steps = data.draw(st.lists(st.integers(0, 10_000), min_size=len(times), max_size=len(times)))
    first_ns = at("2025-05-31")
    readings = [
        (first_ns + minute * 60 * SECOND, counted) for minute, counted in zip(times, accumulate(steps), strict=True)
    ]
    energy = energy_of(readings, "2025-05-31", "2025-06-03", Kind.QUARTER)
    split = split_by_tariff(energy, RULES, SHANGHAI)
    assert split.measured_wh == energy.measured
    assert sum(split.energy_wh(band) for band in Band) + split.unallocated_wh == energy.measured
    flows = (*energy.periods, *energy.unallocated)
    cut = at("2025-06-02")
    halves = [
        split_flows([flow for flow in flows if (flow.start_ns < cut) is first], RULES, SHANGHAI)
        for first in (True, False)
    ]
    for band in Band:
        assert sum(half.energy_wh(band) for half in halves) == split.energy_wh(band)
