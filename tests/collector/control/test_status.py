"""Burn-down, forecast, levels and attribution."""

import random
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shutan_collector.control.actuals import Actual, Actuals, Basis, Volume
from shutan_collector.control.attribution import attribute, effects, grams_by, scaled_reference
from shutan_collector.control.budget import PlannedVolume
from shutan_collector.control.burndown import burn_down
from shutan_collector.control.forecast import METHOD, forecast
from shutan_collector.control.status import Level, budget_status
from shutan_collector.errors import ControlError
from support.budgets import TONNE, actuals, budget, joined, line, volumes

GRAMS = st.integers(0, 10**12)
MONTHS = st.lists(GRAMS, min_size=1, max_size=12)
PROFILE = st.lists(st.integers(1, 10**12).map(Fraction), min_size=12, max_size=12)


def _level(months_t: list[int], annual_t: int = 1200) -> Level:
    return budget_status(budget(line(annual_t)), actuals(months_t))[0].level


def test_burn_down_by_hand() -> None:
    burn = burn_down(line(1200), budget(line(1200)), actuals([90, 120]))
    assert burn.finished == 2
    assert [point.plan_sum_g for point in burn.points[:2]] == [100 * TONNE, 200 * TONNE]
    assert [point.actual_sum_g for point in burn.points[:3]] == [90 * TONNE, 210 * TONNE, None]
    assert [point.left_g for point in burn.points[:3]] == [1110 * TONNE, 990 * TONNE, None]
    assert (burn.actual_g, burn.plan_g, burn.difference_g) == (210 * TONNE, 200 * TONNE, 10 * TONNE)
    assert burn.points[-1].plan_sum_g == 1200 * TONNE


def test_a_hole_between_months_is_not_a_zero() -> None:
    rows = actuals([1, 1, 1]).rows
    with pytest.raises(ControlError, match="2025-02: has no emission, but 2025-03 has"):
        burn_down(line(12), budget(line(12)), Actuals((rows[0], rows[2])))
    with pytest.raises(ControlError, match="2024-01: is not a month of the budget year 2025"):
        burn_down(line(12), budget(line(12)), actuals([1], year=2024))


def test_intensity_is_followed_by_what_its_volume_was_allowed() -> None:
    per_unit = line(850, basis=Basis.PRODUCT, product="p")
    year = joined(actuals([1, 2]), volumes([1000, 2000]))
    burn = burn_down(per_unit, budget(per_unit), year)
    assert burn.plan_g == 850 * 3000
    assert burn.difference_g == 3 * TONNE - 850 * 3000
    without = burn_down(per_unit, budget(per_unit), joined(actuals([1, 2]), volumes([1000])))
    assert (without.points[0].plan_g, without.plan_g, without.difference_g) == (850_000, None, None)


@pytest.mark.parametrize(
    ("months_t", "level"),
    [
        ([], Level.NO_DATA),
        ([100, 100], Level.WITHIN),
        ([100, 95], Level.AT_RISK),
        ([60, 61, 60], Level.WITHIN),
        ([101, 102, 103], Level.EXPECTED_OVERRUN),
        ([700, 501], Level.OVERRUN),
        ([700, 500], Level.EXPECTED_OVERRUN),
        ([100] * 12, Level.WITHIN),
        ([100] * 11 + [101], Level.OVERRUN),
    ],
)
def test_level(months_t: list[int], level: Level) -> None:
    assert _level(months_t) is level


def test_ahead_of_plan_by_more_than_the_tolerance() -> None:
    last = actuals([200] * 3 + [50] * 9, year=2024)
    for months_t, level in (([110, 110, 110], Level.AHEAD_OF_PLAN), ([103, 103, 103], Level.WITHIN)):
        assert budget_status(budget(line(1200)), actuals(months_t), last)[0].level is level


def test_month_in_which_the_budget_is_used_up() -> None:
    [status] = budget_status(budget(line(1200)), actuals([150, 150]))
    assert status.used_up_in == "2025-09"
    assert budget_status(budget(line(1200)), actuals([100, 100]))[0].used_up_in is None
    assert budget_status(budget(line(1200)), actuals([1300]))[0].used_up_in is None


def test_an_area_that_no_emission_names_has_no_data() -> None:
    assert budget_status(budget(line(12, area="bottling")), actuals([1], area="botling"))[0].level is Level.NO_DATA


def test_forecast_by_hand() -> None:
    found = forecast([90, 110], [Fraction(100)] * 12)
    assert (found.ratio, found.expected_g) == (1, 1200)
    # s² = (100 × 0.01 + 100 × 0.01) / 100 / 1 = 0.02; v = 0.02 × (10 × 10^4 + 10^6 × 2 × 10^4 / 4 × 10^4) = 12000
    # root of 12000 rounded up to 110, t for one degree of freedom 6.314
    assert found.high_g == 1200 + 110 * Fraction("6.314")
    assert found.low_g == 1200 - 110 * Fraction("6.314")
    assert found.method == METHOD


@given(MONTHS, PROFILE)
def test_forecast_holds_what_is_emitted_and_its_expectation(actual: list[int], profile: list[Fraction]) -> None:
    found = forecast(actual, profile)
    assert found.expected_g == sum(actual) + sum(found.months_g)
    if len(actual) > 1:
        assert found.low_g is not None
        assert found.high_g is not None
        assert sum(actual) <= found.low_g <= found.expected_g <= found.high_g


@given(st.integers(1, 12), st.fractions(0, 3), PROFILE)
def test_a_year_that_runs_as_its_profile_has_no_spread(count: int, ratio: Fraction, profile: list[Fraction]) -> None:
    scaled = [part * ratio.denominator for part in profile]
    found = forecast([int(part * ratio) for part in scaled[:count]], scaled)
    assert found.expected_g == sum(scaled) * ratio
    assert (found.low_g, found.high_g) == ((None, None) if count == 1 else (found.expected_g, found.expected_g))


@given(MONTHS, PROFILE, st.integers(1, 1000))
def test_forecast_does_not_depend_on_the_unit_of_the_profile(
    actual: list[int], profile: list[Fraction], unit: int
) -> None:
    one, other = forecast(actual, profile), forecast(actual, [part / unit for part in profile])
    assert one.expected_g == other.expected_g


def test_the_interval_holds_about_nine_years_of_ten() -> None:
    chance = random.Random(20250601)  # noqa: S311 - a year of made-up months
    profile = [Fraction(1000 + 300 * (month % 5)) for month in range(12)]
    held = 0
    for _ in range(300):
        months = [int(part * 1000 * Fraction(chance.gauss(1.1, 0.08))) for part in profile]
        found = forecast(months[:6], [part * 1000 for part in profile])
        assert found.low_g is not None
        assert found.high_g is not None
        held += found.low_g <= sum(months) <= found.high_g
    assert 255 <= held <= 288


def test_forecast_of_nothing_and_of_a_whole_year() -> None:
    empty = forecast([], [Fraction(1)] * 12)
    assert (empty.expected_g, empty.low_g, empty.ratio) == (12, None, None)
    whole = forecast([1] * 12, [Fraction(2)] * 12)
    assert (whole.expected_g, whole.low_g, whole.high_g, whole.ratio) == (12, 12, 12, Fraction(1, 2))


def test_profile_with_nothing_where_months_are_finished_is_refused() -> None:
    with pytest.raises(ControlError, match="a finished month has nothing in the profile"):
        forecast([1, 1], [Fraction(0), Fraction(1)] + [Fraction(1)] * 10)
    closed = budget_status(budget(line(0)), actuals([1]))[0]
    assert (closed.level, closed.forecast) == (Level.OVERRUN, None)


def test_last_year_is_the_profile_where_it_is_whole() -> None:
    season = [10, 20, 30, 40, 50, 60, 60, 50, 40, 30, 20, 10]
    [status] = budget_status(budget(line(420)), actuals([11, 22]), actuals(season, year=2024))
    assert status.forecast is not None
    assert (status.forecast.profile, status.forecast.expected_g) == ("last year", 462 * TONNE)
    [partly] = budget_status(budget(line(420)), actuals([11, 22]), actuals(season[:11], year=2024))
    assert partly.forecast is not None
    assert partly.forecast.profile == "plan"


ROWS = st.dictionaries(st.sampled_from("abcdef"), GRAMS, max_size=6)


@given(ROWS, ROWS, st.fractions(0, 10**12))
def test_contributions_sum_to_the_difference(actual: dict[str, int], before: dict[str, int], plan: Fraction) -> None:
    reference = scaled_reference(before, plan)
    if sum(before.values()) == 0:
        assert reference is None
        return
    assert reference is not None
    parts = attribute(actual, reference)
    assert sum(part.difference_g for part in parts) == sum(actual.values()) - plan
    assert [part.difference_g for part in parts] == sorted((part.difference_g for part in parts), reverse=True)


@given(GRAMS, st.fractions(0, 10**6), GRAMS, st.fractions(0, 10**6))
def test_volume_and_intensity_sum_to_the_difference(new: int, volume: Fraction, old: int, before: Fraction) -> None:
    found = effects(new, volume, old, before)
    assert found.difference_g == new - old
    assert (found.unsplit_g == 0) or (volume == 0 or before == 0)


def test_effects_by_hand() -> None:
    # 1000 units at 2 g against 800 at 3 g: volume 200 × 2.5, intensity -1 × 900
    found = effects(2000, Fraction(1000), 2400, Fraction(800))
    assert (found.volume_g, found.intensity_g) == (500, -900)
    assert effects(5, Fraction(0), 3, Fraction(9)).unsplit_g == 2


def test_overrun_is_attributed_to_area_source_and_carrier_exactly() -> None:
    lines = (line(1200), line(600, area="boiler"), line(240, area="press"))
    this = joined(
        actuals([70, 70], area="boiler", source="gas"),
        actuals([20, 20], area="press", source="entry"),
        actuals([30, 30], area="", source="sf6"),
    )
    last = joined(
        actuals([60] * 12, 2024, area="boiler", source="gas"),
        actuals([20] * 12, 2024, area="press", source="entry"),
        actuals([20] * 12, 2024, area="", source="old"),
    )
    site, boiler, _ = budget_status(budget(*lines), this, last)
    by_area, by_source, by_carrier = site.attributions
    assert [(part.name, part.difference_g) for part in by_area.contributions] == [
        ("boiler", 40 * TONNE),
        ("", 0),
        ("press", 0),
    ]
    assert {part.name: part.difference_g for part in by_source.contributions} == {
        "sf6": 60 * TONNE,
        "gas": 20 * TONNE,
        "entry": 0,
        "old": -40 * TONNE,
    }
    for view in (by_area, by_source, by_carrier, *boiler.attributions):
        status = site if view in site.attributions else boiler
        assert sum(part.difference_g for part in view.contributions) == status.burn.difference_g
    assert [view.by for view in boiler.attributions] == ["source", "carrier"]


def test_planned_volume_splits_the_difference() -> None:
    planned = PlannedVolume(Basis.PRODUCT, "p", (Fraction(100),) * 12)
    this = joined(actuals([110, 110]), volumes([120, 120]))
    [status] = budget_status(budget(line(1200, volume=planned)), this)
    assert status.effects is not None
    assert status.effects.difference_g == status.burn.difference_g == 20 * TONNE
    assert status.effects.volume_g > 0 > status.effects.intensity_g
    [without] = budget_status(budget(line(1200, volume=planned)), actuals([110]))
    assert without.effects is None


def test_volumes_of_months_add_up_and_land_does_not() -> None:
    items = [
        Volume(f"2025-0{month}", basis, "", Fraction(value))
        for basis, values in ((Basis.VALUE_ADDED, (5, 7)), (Basis.LAND_AREA, (100, 200)))
        for month, value in enumerate(values, 1)
    ]
    year = Actuals((), tuple(items))
    months = ("2025-01", "2025-02")
    assert year.volume(Basis.VALUE_ADDED, "", months) == 12
    assert year.volume(Basis.LAND_AREA, "", months) == 150
    assert year.volume(Basis.VALUE_ADDED, "", (*months, "2025-03")) is None
    assert year.volume(Basis.VALUE_ADDED, "", ()) is None


@given(
    st.lists(st.tuples(st.sampled_from(("2025-01", "2025-02")), st.sampled_from("ab"), st.sampled_from("xy"), GRAMS))
)
def test_every_view_of_the_rows_has_the_same_total(parts: list[tuple[str, str, str, int]]) -> None:
    rows = [Actual(month, source, area, "c", grams) for month, source, area, grams in parts]
    total = sum(row.co2e_g for row in rows)
    for view in ("source", "area", "carrier"):
        assert sum(grams_by(rows, view, ("2025-01", "2025-02")).values()) == total
    assert sum(Actuals(tuple(rows)).by_month().values()) == total
    assert sum(sum(Actuals(tuple(rows)).by_month(area).values()) for area in "xy") == total
