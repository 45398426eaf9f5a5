"""The factor table and the rule which row serves."""

import csv
from datetime import date
from fractions import Fraction
from importlib import resources

import pytest

from shutan_collector.errors import FactorError
from shutan_collector.factors.table import (
    CARBON_TO_CO2,
    ElectricityFootprintFactor,
    FactorTable,
    GridCo2Factor,
    packaged_factors,
)

TEXT = (resources.files("shutan_collector") / "factors" / "data" / "emission_factors.csv").read_text(encoding="utf-8")
HEAD = TEXT.splitlines()[0]
GRID = (
    "GRID-{region}-{year},grid_electricity,electricity,省,Province,co2_average,{value},kgCO2/kWh,"
    "{year}-01-01,{year}-12-31,{issued},{region},notice,high"
)


def _table(*rows: str) -> FactorTable:
    return FactorTable.parse("\n".join([HEAD, *rows]), "test.csv")


def test_every_value_is_the_exact_fraction_of_its_text() -> None:
    table = packaged_factors()
    rows = list(csv.DictReader(TEXT.splitlines()))
    assert len(rows) == len(table) > 400
    assert all(table.by_id(row["id"]).value == Fraction(row["value"]) for row in rows)


@pytest.mark.parametrize(
    ("year", "text", "issued"),
    [(2021, "0.1255", date(2024, 4, 12)), (2022, "0.1404", date(2024, 12, 20)), (2023, "0.1564", date(2025, 12, 31))],
)
def test_sichuan_factors_of_the_years_that_are_out(year: int, text: str, issued: date) -> None:
    found = packaged_factors().grid_co2("CN-SC", year, date(2026, 6, 1))
    assert (found.row.text, found.row.unit, found.row.issued) == (text, "kgCO2/kWh", issued)
    assert found.kg_co2_per_kwh == Fraction(text)
    assert not found.provisional


@pytest.mark.parametrize(
    ("year", "as_of", "factor_id", "provisional"),
    [
        (2026, date(2026, 6, 1), "GRID-SC-2023", True),  # 暂用: 2024 to 2026 are not out
        (2023, date(2025, 12, 30), "GRID-SC-2022", True),  # the day before the notice of 2023
        (2023, date(2025, 12, 31), "GRID-SC-2023", False),
        (2022, date(2024, 12, 19), "GRID-SC-2021", True),
        (2021, date(2026, 6, 1), "GRID-SC-2021", False),  # a later factor never displaces the year's own
    ],
)
def test_the_years_own_factor_once_issued_else_the_latest_issued(
    year: int, as_of: date, factor_id: str, provisional: bool
) -> None:
    found = packaged_factors().grid_co2("CN-SC", year, as_of)
    assert (found.row.id, found.provisional) == (factor_id, provisional)


@pytest.mark.parametrize(
    ("region", "year", "as_of"),
    [("CN-SC", 2020, date(2026, 6, 1)), ("CN-SC", 2023, date(2024, 1, 1)), ("CN-XZ", 2023, date(2026, 6, 1))],
)
def test_a_missing_factor_is_named_and_never_replaced(region: str, year: int, as_of: date) -> None:
    with pytest.raises(FactorError, match=rf"co2_average for {region} {year}"):
        packaged_factors().grid_co2(region, year, as_of)


def test_grid_and_footprint_factors_are_different_types() -> None:
    table, day = packaged_factors(), date(2026, 6, 1)
    grid, footprint = table.grid_co2("CN", 2023, day), table.electricity_footprint(2023, day)
    assert type(grid) is GridCo2Factor
    assert type(footprint) is ElectricityFootprintFactor
    assert (grid.row.unit, footprint.row.unit) == ("kgCO2/kWh", "kgCO2e/kWh")
    assert not hasattr(footprint, "kg_co2_per_kwh")
    assert not hasattr(grid, "kg_co2e_per_kwh")


def test_a_bare_month_of_issue_counts_from_its_last_day() -> None:
    table = packaged_factors()
    assert table.electricity_footprint(2023, date(2025, 1, 31)).row.id == "PCF-ELEC-CN-2023"
    with pytest.raises(FactorError):
        table.electricity_footprint(2023, date(2025, 1, 30))


@pytest.mark.parametrize("family", ["FUELA", "FUELB"])
def test_natural_gas_factors_are_one_family(family: str) -> None:
    found = packaged_factors().gas_fuel(family, "natural_gas", date(2026, 6, 1))
    assert found.ids == tuple(f"{family}-NATURALGAS-{part}" for part in ("NCV", "CC", "OF"))
    assert [row.value for row in (found.ncv, found.carbon_content, found.oxidation_rate)] == [
        Fraction("389.31"),
        Fraction("15.3"),
        99,
    ]
    assert found.t_co2_per_1e4_nm3 == Fraction("389.31") * Fraction("0.0153") * Fraction("0.99") * Fraction(44, 12)


def test_carbon_to_co2_is_44_over_12_and_not_the_printed_value() -> None:
    assert Fraction(44, 12) == CARBON_TO_CO2 != packaged_factors().by_id("CONST-C-CO2").value


def test_a_family_that_does_not_serve_the_day_is_an_error() -> None:
    with pytest.raises(FactorError, match="FUELB-NATURALGAS-NCV serves 2024-01-01"):
        packaged_factors().gas_fuel("FUELB", "natural_gas", date(2023, 12, 31))
    with pytest.raises(FactorError, match="FUELC natural_gas ncv"):
        packaged_factors().gas_fuel("FUELC", "natural_gas", date(2026, 6, 1))


GOOD = GRID.format(region="CN-SC", year=2023, value="0.1564", issued="2025-12-31")


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (GOOD.replace("0.1564", "1e-1"), "not a plain decimal"),
        (GOOD.replace("0.1564", ""), "empty: value"),
        (GOOD.replace("2023-01-01", "2023-1-1"), "valid_from"),
        (GOOD.replace(",high", ",sure"), "confidence"),
        (GOOD.replace("2025-12-31", "2025-02-30"), "known_from"),
        (GOOD.replace("co2_average", "carbon_content"), "12 to 71 tC/TJ"),
    ],
)
def test_a_malformed_row_is_refused_with_its_line(row: str, said: str) -> None:
    with pytest.raises(FactorError, match=said) as caught:
        _table(row)
    assert caught.value.where == "test.csv:2"


def test_a_wrong_unit_is_refused_when_the_factor_is_asked_for() -> None:
    table = _table(GOOD.replace("kgCO2/kWh", "tCO2/MWh"))
    with pytest.raises(FactorError, match="unit is tCO2/MWh, expected kgCO2/kWh"):
        table.grid_co2("CN-SC", 2023, date(2026, 1, 1))


def test_an_id_stands_once_and_columns_are_fixed() -> None:
    with pytest.raises(FactorError, match="stands twice"):
        _table(GOOD, GOOD)
    with pytest.raises(FactorError, match="columns"):
        FactorTable.parse("id,value\nx,1", "test.csv")
    with pytest.raises(FactorError, match="no such factor"):
        packaged_factors().by_id("GRID-XX")
