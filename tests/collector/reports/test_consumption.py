"""Comprehensive energy consumption: what counts, by which coefficient, and what is said where there is none."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from fractions import Fraction

import pytest

from shutan_collector.accounting.summary import Emission, MonthSummary, YearSummary
from shutan_collector.activity.kinds import (
    ActivityBook,
    Certificate,
    FuelMovement,
    FuelQuality,
    GreenPower,
    HeatPurchase,
)
from shutan_collector.activity.rows import Direction, HeatForm
from shutan_collector.carbon.lines import Category, Scope
from shutan_collector.errors import RequestError
from shutan_collector.factors.table import packaged_factors
from shutan_collector.reports.carbon_tables import source_table
from shutan_collector.reports.consumption import CarrierUse, consumption
from shutan_collector.reports.emissions import by_source
from shutan_collector.reports.flow import energy_flow
from shutan_collector.reports.registry import Arguments, find_report
from shutan_collector.reports.table import NoData
from shutan_collector.reports.zero_carbon_factory.build import Evidence, build_zero_carbon
from shutan_collector.site.model import Carrier, Meter, Role
from support.summary_year import month, year

JUNE = month("2025-06")
FIRST, LAST = date(2025, 6, 1), date(2025, 6, 30)


def with_book(summary: MonthSummary, **rows: object) -> MonthSummary:
    return replace(summary, book=ActivityBook(**rows))  # pyright: ignore[reportArgumentType] the test names the kinds


def with_meters(summary: MonthSummary, change: Callable[[Meter], Meter]) -> MonthSummary:
    return replace(summary, site=replace(summary.site, meters=tuple(change(meter) for meter in summary.site.meters)))


def use_of(summary: MonthSummary | YearSummary, key: str) -> CarrierUse:
    found = consumption(summary).find(key)
    assert found is not None
    return found


def movement(key: str, direction: Direction, quantity: str, fuel: str = "raw_coal", unit: str = "t") -> FuelMovement:
    return FuelMovement(key=key, fuel=fuel, day=FIRST, direction=direction, quantity=Fraction(quantity), unit=unit)


def test_fuel_by_stock_balance() -> None:
    rows = (
        movement("1", Direction.OPENING_STOCK, "100"),
        movement("2", Direction.PURCHASE, "250.5"),
        movement("3", Direction.CLOSING_STOCK, "80"),
        movement("4", Direction.TRANSFER_OUT, "20.5"),
    )
    coal = use_of(with_book(JUNE, fuel_movements=rows), "raw_coal")
    assert coal.used == 250
    assert coal.tce == Fraction("178.575")  # 250 t × 0.7143
    assert (coal.coefficient, coal.coefficient_unit, coal.coefficient_source) == (
        Fraction("0.7143"),
        "kgce/kg",
        "TCE-RAWCOAL",
    )
    assert (coal.opening, coal.closing, coal.handed_out) == (100, 80, Fraction("20.5"))


def test_a_measured_calorific_value_beats_the_table() -> None:
    quality = FuelQuality(
        key="q1", fuel="raw_coal", start=FIRST, end=LAST, batch="B1", quantity=Fraction(250), unit="t",
        ncv=Fraction("29.3076"),
    )  # fmt: skip
    book = {"fuel_movements": (movement("2", Direction.PURCHASE, "250"),), "fuel_qualities": (quality,)}
    coal = use_of(with_book(JUNE, **book), "raw_coal")
    assert coal.tce == 250  # standard coal itself
    assert coal.coefficient_source == "NCV q1 / TCE-SC-NCV"


def test_measured_gas_beats_the_row_of_the_site_model() -> None:
    quality = FuelQuality(
        key="g1", fuel="natural_gas", start=FIRST, end=LAST, batch="B1", quantity=Fraction(1), unit="1e4Nm3",
        ncv=Fraction("293.076"),
    )  # fmt: skip
    gas = use_of(with_book(JUNE, fuel_qualities=(quality,)), "natural_gas")
    assert gas.coefficient == 1
    assert gas.used is not None
    assert gas.tce == gas.used * 10


def test_batches_weigh_by_quantity_and_days() -> None:
    def batch(key: str, days: tuple[date, date], quantity: int, ncv: str, unit: str = "t") -> FuelQuality:
        return FuelQuality(
            key=key, fuel="raw_coal", start=days[0], end=days[1], batch=key, quantity=Fraction(quantity), unit=unit,
            ncv=Fraction(ncv),
        )  # fmt: skip

    bought = (movement("1", Direction.PURCHASE, "1000"),)
    inside = batch("a", (FIRST, LAST), 300, "20")
    half = batch("b", (date(2025, 6, 21), date(2025, 7, 10)), 200, "24")  # ten of its twenty days are in June
    other = batch("c", (date(2025, 7, 1), date(2025, 7, 31)), 900, "99")
    coal = use_of(with_book(JUNE, fuel_movements=bought, fuel_qualities=(inside, half, other)), "raw_coal")
    assert coal.tce == 1000 * Fraction(300 * 20 + 100 * 24, 400) / Fraction("29.3076")
    assert coal.coefficient_source == "NCV a, b / TCE-SC-NCV"
    mixed = (inside, batch("d", (FIRST, LAST), 1, "24", "1e4Nm3"))
    told = use_of(with_book(JUNE, fuel_movements=bought, fuel_qualities=mixed), "raw_coal").missing
    assert told is not None
    assert "a, d are in 1e4Nm3 and t" in told.en


def test_a_fuel_with_an_entry_meter_is_not_added_twice() -> None:
    rows = (movement("1", Direction.PURCHASE, "9", fuel="natural_gas", unit="1e4Nm3"),)
    assert use_of(with_book(JUNE, fuel_movements=rows), "natural_gas") == use_of(with_book(JUNE), "natural_gas")


def test_a_range_without_a_choice_is_told_and_is_in_no_sum() -> None:
    summary = replace(JUNE, site=replace(JUNE.site, coal_rows=()))
    gas = use_of(summary, "natural_gas")
    assert gas.tce is None
    assert gas.missing is not None
    assert "choose one by its id: TCE-NG-LO" in gas.missing.en
    whole = consumption(summary)
    assert not whole.complete
    assert whole.tce == consumption(JUNE).tce - (use_of(JUNE, "natural_gas").tce or 0)


def test_what_was_not_used_needs_no_coefficient() -> None:
    rows = (
        movement("1", Direction.OPENING_STOCK, "7", fuel="husks"),
        movement("2", Direction.CLOSING_STOCK, "7", fuel="husks"),
    )
    summary = with_book(JUNE, fuel_movements=rows)
    husks = use_of(summary, "husks")
    assert (husks.used, husks.tce, husks.coefficient, husks.missing) == (0, 0, None, None)
    assert consumption(summary).complete


def test_a_boiler_is_known_by_its_area_where_no_asset_names_it() -> None:
    def moved(meter: Meter) -> Meter:
        assets = {"g-boiler": "boiler-1", "s-boiler": "steam"}
        return replace(meter, asset=assets[meter.id], area="boiler-house") if meter.id in assets else meter

    flow = energy_flow(with_meters(JUNE, moved), packaged_factors())
    bands = {(band.source, band.target): band.amount for band in flow.bands}
    gas, steam = bands["g-entry", "conversion:s-boiler"], bands["conversion:s-boiler", "s-boiler"]
    assert bands["conversion:s-boiler", "loss:steam"] == gas - steam


def test_an_unknown_fuel_is_told() -> None:
    unknown = use_of(with_book(JUNE, fuel_movements=(movement("1", Direction.PURCHASE, "5", fuel="husks"),)), "husks")
    assert unknown.used == 5
    assert unknown.tce is None


def test_bought_heat_in_every_form() -> None:
    heat = HeatPurchase(key="1", start=FIRST, end=LAST, form=HeatForm.HEAT, heat_gj=Fraction(100))
    steam = HeatPurchase(
        key="2", start=FIRST, end=LAST, form=HeatForm.STEAM, mass_t=Fraction(10), enthalpy_kj_per_kg=Fraction(2763)
    )
    water = HeatPurchase(
        key="3", start=FIRST, end=LAST, form=HeatForm.HOT_WATER, mass_t=Fraction(10), temperature_c=Fraction(70)
    )
    found = use_of(with_book(JUNE, heat_purchases=(heat, steam, water)), "heat_purchase")
    assert found.used == 100 + Fraction("27.63") + Fraction("2.0934")
    assert found.tce == (100 + Fraction("27.63") + Fraction("2.0934")) * Fraction("34.12") / 1000
    lacking = replace(steam, enthalpy_kj_per_kg=None)
    assert use_of(with_book(JUNE, heat_purchases=(lacking,)), "heat_purchase").used is None


def test_export_is_taken_off() -> None:
    exported = with_meters(JUNE, lambda m: replace(m, role=Role.EXPORT) if m.id == "e-util" else m)
    assert use_of(exported, "electricity").used == Fraction("40.344") - Fraction("10.824")
    assert use_of(exported, "electricity").handed_out == Fraction("10.824")


def test_a_missing_register_leaves_the_carrier_without_a_figure() -> None:
    broken = replace(JUNE.meters[0], value=None)
    summary = replace(JUNE, meters=(broken, *JUNE.meters[1:]))
    grid = use_of(summary, "electricity")
    assert (grid.used, grid.tce) == (None, None)
    assert grid.missing is not None
    assert "e-grid" in grid.missing.zh
    assert grid.electric


def test_without_a_primary_equivalent_there_is_no_such_total() -> None:
    summary = replace(JUNE, site=replace(JUNE.site, electricity_primary_kgce_per_kwh=None))
    assert consumption(summary).tce_primary is None
    assert consumption(summary).tce == consumption(JUNE).tce


def test_a_year_adds_up_its_months() -> None:
    whole = consumption(year())
    parts = [consumption(item) for item in year().months]
    assert whole.tce == sum(part.tce for part in parts)
    assert whole.tce_primary == sum(part.tce_primary or 0 for part in parts)
    assert [item.key for item in whole.carriers] == ["electricity", "pv", "natural_gas", "water"]


def test_stocks_of_a_year_are_those_of_its_ends() -> None:
    def stocked(summary: MonthSummary, opening: str, closing: str) -> MonthSummary:
        rows = (
            movement("1", Direction.OPENING_STOCK, opening),
            movement("2", Direction.PURCHASE, "50"),
            movement("3", Direction.CLOSING_STOCK, closing),
        )
        return with_book(summary, fuel_movements=rows)

    months = (stocked(month("2025-01"), "10", "20"), stocked(month("2025-02"), "20", "5"))
    coal = use_of(YearSummary("2025", months), "raw_coal")
    assert (coal.opening, coal.purchased, coal.closing, coal.used) == (10, 100, 5, 105)


def test_flow_in_equals_flow_out_at_every_node() -> None:
    flow = energy_flow(JUNE, packaged_factors())
    ends = {node.id for node in flow.nodes if node.stage == 3}
    starts = {node.id for node in flow.nodes if node.stage == 0}
    for node in flow.nodes:
        came = sum((band.amount for band in flow.bands if band.target == node.id), Fraction())
        went = sum((band.amount for band in flow.bands if band.source == node.id), Fraction())
        assert node.id in ends or node.id in starts or came == went, node
    bought = sum((band.amount for band in flow.bands if band.source in starts), Fraction())
    assert bought == sum((band.amount for band in flow.bands if band.target in ends), Fraction())
    assert flow.unaccounted_tce > 0
    assert not flow.overdrawn


def test_flow_without_a_figure_names_the_meter() -> None:
    broken = tuple(replace(use, value=None) if use.meter == "e-pack" else use for use in JUNE.meters)
    flow = energy_flow(replace(JUNE, meters=broken), packaged_factors())
    assert flow.left_out == ("e-pack",)
    assert "e-pack" not in {node.id for node in flow.nodes}


def test_more_used_than_supplied_is_named_and_not_drawn() -> None:
    doubled = tuple(replace(use, value=(use.value or 0) * 3) if use.meter == "e-mill" else use for use in JUNE.meters)
    flow = energy_flow(replace(JUNE, meters=doubled), packaged_factors())
    assert flow.overdrawn == ("e-brew",)
    assert all(band.amount > 0 for band in flow.bands)


@pytest.mark.parametrize(("name", "summary"), [("monthly", year()), ("ghg", JUNE)])
def test_a_report_of_the_wrong_kind_of_period_is_refused(name: str, summary: MonthSummary | YearSummary) -> None:
    with pytest.raises(RequestError, match=r"--period: '2025.*this report is of a"):
        find_report(name).publish(Arguments(summary))


def test_indicators_stated_by_a_person() -> None:
    stated = Evidence(Fraction(300), Fraction(600), frozenset({"白酒 52% 500 mL", "elsewhere"}), 12)
    sheet = build_zero_carbon(year(), stated)
    assert sheet.find("efficient_equipment").value == 50
    assert sheet.find("footprints").value == 100
    assert sheet.find("functions").value == Fraction(1200, 13)


def test_exported_power_is_not_used_on_site() -> None:
    exported = with_meters(JUNE, lambda m: replace(m, role=Role.EXPORT) if m.id == "e-line2" else m)
    sheet = build_zero_carbon(exported)
    assert sheet.find("traceable_electricity").upper.value == 44_550 - 44_280
    assert sheet.find("traceable_electricity").lower.value == 447_990 - 44_280
    assert sheet.find("non_fossil").upper.value == 270 * Fraction("0.1229") / 1000


def test_certificates_count_up_to_the_electricity_bought() -> None:
    def held(mwh: int, key: str = "c1", retired: date | None = LAST, claimed_for: str = "2025-06") -> Certificate:
        return Certificate(
            key=key, mwh=Fraction(mwh), vintage_start=FIRST, vintage_end=LAST, technology="wind", registry="GEC",
            retired_on=retired, claimed_for=claimed_for,
        )  # fmt: skip

    def upper(*certificates: Certificate, power: tuple[GreenPower, ...] = ()) -> object:
        summary = with_book(JUNE, certificates=certificates, green_powers=power)
        return build_zero_carbon(summary).find("non_fossil").upper.value

    def tce(kwh: int) -> Fraction:
        return (44_550 + kwh) * Fraction("0.1229") / 1000

    assert upper(held(100)) == tce(100_000)
    assert upper(held(900)) == tce(403_440)
    assert upper(held(100, retired=None), held(50, "c2", claimed_for="2024")) == tce(0)
    green = GreenPower(key="g1", month="2025-06", mwh=Fraction(100), certificate="c1")
    assert upper(held(100), power=(green,)) == tce(100_000)


def test_indicators_over_incomplete_emissions_have_no_value() -> None:
    sheet = build_zero_carbon(month("2025-06", closed=False, gap=True))
    assert isinstance(sheet.find("carbon_per_energy_scope2_location").value, NoData)
    assert not isinstance(sheet.find("energy_per_value").value, NoData)


def test_value_added_of_every_month_is_needed() -> None:
    months = list(year().months)
    months[2] = with_book(months[2])
    value = build_zero_carbon(YearSummary("2025", tuple(months))).find("energy_per_value").value
    assert isinstance(value, NoData)
    assert "2025-03" in value.missing.zh


def test_steam_by_mass_needs_its_enthalpy() -> None:
    def bought(meter: Meter) -> Meter:
        if meter.id != "s-boiler":
            return meter
        return replace(meter, role=Role.ENTRY, metric="steam_mass_g", enthalpy_kj_per_kg=None)

    summary = with_meters(JUNE, bought)
    steam = use_of(summary, "steam")
    assert steam.unit == "t"
    assert steam.tce is None
    known = with_meters(
        summary, lambda m: replace(m, enthalpy_kj_per_kg=Fraction(2763)) if m.carrier is Carrier.STEAM else m
    )
    steam = use_of(known, "steam")
    assert steam.used is not None
    assert steam.tce == steam.used * Fraction("94.27356") / 1000  # 2763 MJ × 0.03412 kgce/MJ


def test_many_certificates_share_a_row_and_keep_their_sum() -> None:
    def item(key: str, grams: int) -> Emission:
        scope, category = Scope.SCOPE_2_MARKET, Category.ELECTRICITY
        return Emission(f"market:{key}", scope, category, "co2", grams, grams, False, False)

    few = tuple(item(f"GEC-{number}", number) for number in range(4))
    rest = (item("residual", 100), item("contract/c1", 10))
    names = [str(row.cells[0]) for row in source_table(by_source(replace(JUNE, emissions=(*few, *rest)))).rows]
    assert sum("certificate GEC-" in name for name in names) == 4
    many = (*few, item("GEC-4", 4), *rest)
    table = source_table(by_source(replace(JUNE, emissions=many)))
    names = [str(row.cells[0]) for row in table.rows]
    assert sum("certificates" in name for name in names) == 1
    assert sorted(names) == sorted(set(names))
    assert table.rows[-1].cells[6] == Fraction(0 + 1 + 2 + 3 + 4 + 110, 1_000_000)
