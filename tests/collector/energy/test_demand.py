"""Maximum demand: the highest quarter of a month, with its time, and what cannot be told."""

from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from shutan_collector.energy.demand import demand_of, monthly_demand
from shutan_collector.energy.measure import Estimate
from shutan_collector.periods import Kind
from support.accounting import SECOND, SHANGHAI, Readings, at, steady
from support.energy import energy_of


def _quarters(start: str, steps: list[int], offset_s: int = 0) -> Readings:
    """Readings every quarter from start (plus an offset), from the energy of each."""
    readings, counted = [(at(start) + offset_s * SECOND, 0)], 0
    for number, step in enumerate(steps, start=1):
        counted += step
        readings.append((at(start) + (number * 900 + offset_s) * SECOND, counted))
    return readings


def test_the_highest_quarter_with_its_time() -> None:
    readings = _quarters("2026-06-01T08:00", [2500, 2600, 9000, 2500])
    energy = energy_of(readings, "2026-06-01T08:00", "2026-06-01T09:00", Kind.QUARTER)
    (month,) = monthly_demand(energy, SHANGHAI)
    assert (month.month, month.known, month.quarters) == ("2026-06", 4, 4)
    assert month.peak is not None
    assert (month.peak.kw, month.peak.energy_wh, month.peak.start_ns) == (36, 9000, at("2026-06-01T08:30"))
    assert (month.peak.from_ns, month.peak.to_ns) == (at("2026-06-01T08:30"), at("2026-06-01T08:45"))


def test_of_equal_quarters_the_first() -> None:
    readings = _quarters("2026-06-01T08:00", [1000, 3000, 3000, 1000])
    energy = energy_of(readings, "2026-06-01T08:00", "2026-06-01T09:00", Kind.QUARTER)
    peak = monthly_demand(energy, SHANGHAI)[0].peak
    assert peak is not None
    assert peak.start_ns == at("2026-06-01T08:15")


def test_each_month_has_its_own() -> None:
    readings = _quarters("2026-06-30T23:30", [1000, 5000, 2000, 3000])
    energy = energy_of(readings, "2026-06-30T23:30", "2026-07-01T00:30", Kind.QUARTER)
    assert [(item.month, item.peak and item.peak.kw) for item in monthly_demand(energy, SHANGHAI)] == [
        ("2026-06", 20),
        ("2026-07", 12),
    ]


def test_a_logger_that_is_always_three_minutes_late_gives_the_same_figure() -> None:
    readings = _quarters("2026-06-01T07:45", [2500, 2500, 2600, 9000, 2500], offset_s=180)
    energy = energy_of(readings, "2026-06-01T08:00", "2026-06-01T09:00", Kind.QUARTER)
    (month,) = monthly_demand(energy, SHANGHAI)
    assert month.peak is not None
    assert (month.peak.kw, month.known) == (36, 4)


def test_the_mean_is_taken_between_the_readings_used() -> None:
    readings = [(at("2026-06-01T08:00"), 0), (at("2026-06-01T08:16"), 1600), (at("2026-06-01T08:30"), 3000)]
    energy = energy_of(readings, "2026-06-01T08:00", "2026-06-01T08:30", Kind.QUARTER)
    found = [demand_of(flow) for flow in energy.periods]
    assert [demand and demand.kw for demand in found] == [6, 6]


def test_what_cannot_be_told_is_counted_as_unknown() -> None:
    hole = [
        reading
        for reading in steady("2026-06-01T08:00", 2, 4000, interval_s=900)
        if reading[0] != at("2026-06-01T09:00")
    ]
    for estimate in Estimate:
        energy = energy_of(hole, "2026-06-01T08:00", "2026-06-01T10:00", Kind.QUARTER, estimate=estimate)
        (month,) = monthly_demand(energy, SHANGHAI)
        assert (month.known, month.quarters) == (6, 8)
    sparse = [(at("2026-06-01T08:06"), 0), (at("2026-06-01T08:10"), 900)]  # 4 minutes are no quarter
    energy = energy_of(sparse, "2026-06-01T08:00", "2026-06-01T08:15", Kind.QUARTER)
    assert energy.periods[0].value == 900
    assert monthly_demand(energy, SHANGHAI)[0].peak is None


def test_a_quarter_that_the_request_cuts_has_no_demand() -> None:
    readings = steady("2026-06-01T08:00", 1, 4000, interval_s=60)
    for start in ("2026-06-01T08:05", "2026-06-01T08:01"):
        energy = energy_of(readings, start, "2026-06-01T08:45", Kind.QUARTER)
        assert [demand_of(flow) is None for flow in energy.periods] == [True, False, False]


def test_a_quarter_with_an_unknown_amount_has_no_demand() -> None:
    readings = [(at("2026-06-01T08:00"), 9000), (at("2026-06-01T08:15"), 100), (at("2026-06-01T08:30"), 1100)]
    energy = energy_of(readings, "2026-06-01T08:00", "2026-06-01T08:30", Kind.QUARTER)
    assert [demand_of(flow) is None for flow in energy.periods] == [True, False]


@settings(deadline=None, max_examples=60)  # shared machines stall
@given(st.lists(st.integers(0, 100_000), min_size=1, max_size=96))
def test_the_maximum_is_not_below_the_mean(steps: list[int]) -> None:
    end = at("2026-06-01") + len(steps) * 900 * SECOND
    text = f"2026-06-0{1 + len(steps) // 96}T{len(steps) % 96 // 4:02d}:{len(steps) % 4 * 15:02d}"
    assert at(text) == end
    energy = energy_of(_quarters("2026-06-01", steps), "2026-06-01", text, Kind.QUARTER)
    peak = monthly_demand(energy, SHANGHAI)[0].peak
    assert peak is not None
    assert peak.kw == Fraction(max(steps) * 4, 1000)
    assert peak.kw >= Fraction(sum(steps) * 4, 1000 * len(steps))
