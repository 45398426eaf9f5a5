"""Lines of meters: which scopes they make, with which factors, and what has no line."""

from dataclasses import replace
from datetime import date
from fractions import Fraction

import pytest

from shutan_collector.activity.kinds import ActivityBook
from shutan_collector.activity.rows import Direction, FuelMovement, FuelQuality
from shutan_collector.carbon.accountant import not_accounted, scopes_of
from shutan_collector.carbon.lines import Category, Line, Scope, Unvalued
from shutan_collector.carbon.metered import metered_lines
from shutan_collector.energy.counter import Counter
from shutan_collector.energy.measure import Flow, Part
from shutan_collector.errors import FactorError
from shutan_collector.factors.table import FactorTable, packaged_factors
from shutan_collector.site.file import parse_site
from shutan_collector.site.model import Meter, Role, Site
from support.accounting import SITE, at

AS_OF = date(2026, 1, 15)
MORE = """
[[meter]]
id = "pv-out"
carrier = "electricity"
role = "export"
level = 1
metric = "active_energy_export_wh"
node = "n01"
device = "m-entry"

[[meter]]
id = "steam"
carrier = "steam"
role = "entry"
level = 1
metric = "steam_mass_g"
node = "n04"
device = "s"
enthalpy_kj_per_kg = 2763

[[meter]]
id = "heat"
carrier = "heat"
role = "entry"
level = 1
metric = "heat_kj"
node = "n04"
device = "h"

[[meter]]
id = "heat-out"
carrier = "heat"
role = "export"
level = 1
metric = "heat_kj"
node = "n04"
device = "h2"

[[meter]]
id = "diesel"
carrier = "diesel"
role = "entry"
level = 1
metric = "diesel_volume_l"
node = "n04"
device = "d"
"""


def the_site() -> Site:
    return parse_site(SITE + MORE, "site.toml")


def meter_of(site: Site, meter_id: str) -> Meter:
    return next(meter for meter in site.meters if meter.id == meter_id)


def flow(
    start: str, end: str, value: int | None, part: Part = Part.PERIOD, *, estimated: bool = False, exact: bool = True
) -> Flow:
    return Flow(part, at(start), at(end), False, value, estimated, exact, None, None, 0, None, Counter([]))


def lines_of(
    meter_id: str, *flows: Flow, book: ActivityBook | None = None, site: Site | None = None
) -> tuple[tuple[Line, ...], tuple[Unvalued, ...]]:
    site = site or the_site()
    return metered_lines(site, meter_of(site, meter_id), flows, packaged_factors(), AS_OF, book=book)


HOUR = flow("2025-06-01T08:00", "2025-06-01T09:00", 1_000_000)


def test_bought_electricity_stands_in_two_scopes_side_by_side() -> None:
    lines, unvalued = lines_of("entry", flow("2025-06-01T07:00", "2025-06-01T08:00", None), HOUR)
    assert unvalued == ()
    location, reporting = lines
    assert (location.scope, reporting.scope) == (Scope.SCOPE_2_LOCATION, Scope.SCOPE_2_REPORTING)
    assert location.id == f"meter:entry|scope2_location|{HOUR.start_ns}"
    assert [use.id for use in location.factors] == ["GRID-SC-2023"]
    assert [use.id for use in reporting.factors] == ["GRID-CN-REP-05703"]
    assert (location.co2e_g, reporting.co2e_g) == (156_400, 570_300)
    assert {line.flow for line in lines} == {1}  # the flow without a value keeps its number
    assert all(line.provisional and line.exact and not line.estimated for line in lines)
    assert {line.category for line in lines} == {Category.ELECTRICITY}


def test_exported_electricity_is_a_memo_by_both_factors() -> None:
    lines, _ = lines_of("pv-out", HOUR)
    assert [(line.scope.value, line.co2e_g) for line in lines] == [
        ("memo_export", 156_400),
        ("memo_export_reporting", 570_300),
    ]
    assert all(line.scope.memo for line in lines)


def test_purchased_heat_by_heat_meter_and_exported_heat() -> None:
    hour = flow("2025-06-01T08:00", "2025-06-01T09:00", 2_500_000)  # kJ: 2.5 GJ x 0.11 t/GJ = 275 kg
    (bought,), (handed_on,) = lines_of("heat", hour)[0], lines_of("heat-out", hour)[0]
    assert (bought.scope, bought.formula, bought.co2e_g) == (Scope.SCOPE_2_HEAT, "heat.metered/1", 275_000)
    assert (handed_on.scope, handed_on.category, handed_on.co2e_g) == (Scope.MEMO_EXPORT, Category.HEAT, 275_000)


def test_steam_by_mass_needs_its_enthalpy() -> None:
    hour = flow("2025-06-01T08:00", "2025-06-01T09:00", 1_000_000)  # g: 1 t
    (line,), _ = lines_of("steam", hour)
    # 1 t x (2763 - 83.74) kJ/kg = 2.67926 GJ x 0.11 = 294.7186 kg
    assert line.co2e_g == 294_719
    assert [use.role for use in line.factors] == ["deduction", "ef"]
    site = the_site()
    bare = replace(meter_of(site, "steam"), enthalpy_kj_per_kg=None)
    assert scopes_of(bare) == ()
    assert "enthalpy_kj_per_kg" in not_accounted(bare)
    assert metered_lines(site, bare, (hour,), packaged_factors(), AS_OF) == ((), ())


def test_a_metered_carrier_without_mass_is_said_until_it_is_bought_by_invoice() -> None:
    diesel = meter_of(the_site(), "diesel")
    assert "enter it as fuel movements" in not_accounted(diesel)
    row = FuelMovement(
        key="1", fuel="diesel", day=date(2025, 6, 2), direction=Direction.PURCHASE, quantity=Fraction(1), unit="t"
    )
    assert not_accounted(diesel, ActivityBook(fuel_movements=(row,))) == ""
    assert not_accounted(diesel, ActivityBook(fuel_movements=(replace(row, fuel="gasoline"),)))
    assert not_accounted(replace(diesel, role=Role.SUB)) == ""
    assert lines_of("diesel", HOUR) == ((), ())


def test_a_gap_over_new_year_is_not_valued_in_any_scope() -> None:
    """The province has a factor for both years; the reporting default of 2022 would serve 2023 as well."""
    gap = flow("2022-12-31T22:00", "2023-01-01T02:00", 4_000, Part.GAP)
    after = flow("2023-01-01T02:00", "2023-01-01T03:00", 1_000)
    lines, (left,) = lines_of("entry", gap, after)
    assert (left.source, left.value, left.unit) == ("meter:entry", Fraction(4_000), "Wh")
    assert left.reason == "the grid factor changes within this stretch"
    assert [(line.scope, line.flow) for line in lines] == [(Scope.SCOPE_2_LOCATION, 1), (Scope.SCOPE_2_REPORTING, 1)]


def test_a_stand_in_at_one_end_of_a_gap_makes_it_provisional() -> None:
    """The same row is 2023's own factor and 2024's stand-in (暂用)."""
    gap = flow("2023-12-31T22:00", "2024-01-01T02:00", 4_000, Part.GAP)
    lines, unvalued = lines_of("entry", gap)
    assert unvalued == ()
    assert [line.factors[0].id for line in lines] == ["GRID-SC-2023", "GRID-CN-REP-05703"]
    assert all(line.provisional for line in lines)


def test_hours_on_both_sides_of_new_year_take_the_factor_of_their_year() -> None:
    hours = (flow("2022-12-31T23:00", "2023-01-01", 1_000_000), flow("2023-01-01", "2023-01-01T01:00", 1_000_000))
    lines, _ = lines_of("entry", *hours)
    ids = [line.factors[0].id for line in lines if line.scope is Scope.SCOPE_2_LOCATION]
    assert ids == ["GRID-SC-2022", "GRID-SC-2023"]


def test_marks_of_a_flow_are_marks_of_its_lines() -> None:
    lines, _ = lines_of("entry", flow("2025-06-01", "2025-06-01T01:00", 5, estimated=True, exact=False))
    assert [(line.estimated, line.exact) for line in lines] == [(True, False)] * 2


def quality(key: str, quantity: str, ncv: str, cc: str | None = None) -> FuelQuality:
    return FuelQuality(
        key=key,
        fuel="natural_gas",
        start=date(2025, 6, 1),
        end=date(2025, 6, 30),
        batch=key,
        quantity=Fraction(quantity),
        unit="1e4Nm3",
        ncv=Fraction(ncv),
        carbon_content=None if cc is None else Fraction(cc),
    )


def test_measured_values_of_a_gas_come_before_the_defaults() -> None:
    book = ActivityBook(fuel_qualities=(quality("a", "1", "380", "15.4"), quality("b", "3", "400", "15.2")))
    hour = flow("2025-06-01T08:00", "2025-06-01T09:00", 100_000)
    (line,), _ = lines_of("boiler-gas", hour, book=book)
    assert [item.name for item in line.inputs] == ["volume", "temperature", "pressure", "ncv", "cc"]
    assert [use.role for use in line.factors] == ["of"]
    assert line.activities == ("fuel_quality/a", "fuel_quality/b")
    # NCV (380 + 3 x 400)/4 = 395, CC (15.4 + 3 x 15.2)/4 = 15.25, OF 99 %
    kg = Fraction(100, 10_000) * Fraction(27315, 29315) * 395 * Fraction("15.25") * 99 * 44 / 1200
    assert line.co2e_g == round(kg * 1000)
    july = flow("2025-07-01T08:00", "2025-07-01T09:00", 100_000)
    (other,), _ = lines_of("boiler-gas", july, book=book)
    assert (other.co2e_g, other.activities) == (201_467, ())


def test_a_gas_meter_without_a_reference_condition_is_an_error() -> None:
    site = the_site()
    bare = replace(meter_of(site, "boiler-gas"), gas_reference=None)
    with pytest.raises(FactorError, match="boiler-gas: the gas meter has no reference condition"):
        metered_lines(site, bare, (HOUR,), packaged_factors(), AS_OF)


def test_a_region_without_a_factor_is_an_error_that_names_it() -> None:
    site = replace(the_site(), region="CN-XX")
    with pytest.raises(FactorError, match="CN-XX"):
        lines_of("entry", HOUR, site=site)


@pytest.mark.parametrize(
    ("meter_id", "row_id"), [("boiler-gas", "FUELB-NATURALGAS-NCV"), ("heat", "HEAT-CN"), ("steam", "HEAT-CN")]
)
def test_a_row_corrected_after_the_report_date_does_not_serve_it(meter_id: str, row_id: str) -> None:
    """A report keeps the factors that were issued by its date, so that valuing it again repeats it."""
    table = packaged_factors()
    row = table.by_id(row_id)
    corrected = replace(row, id=f"{row_id}-C", value=row.value + 1, known_from=date(2026, 2, 1))
    site, later = the_site(), FactorTable([*table, corrected])
    meter = meter_of(site, meter_id)
    before, after = (metered_lines(site, meter, (HOUR,), later, day)[0] for day in (AS_OF, date(2026, 2, 1)))
    assert before == metered_lines(site, meter, (HOUR,), table, AS_OF)[0]
    assert f"{row_id}-C" in {use.id for use in after[0].factors}
    assert after[0].co2e_g > before[0].co2e_g
