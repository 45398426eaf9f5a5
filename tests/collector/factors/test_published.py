"""Published numbers (tests/vectors/factors_*.jsonl): which row serves, and what it comes to."""

import json
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from shutan_collector.factors.table import (
    ElectricityFootprintFactor,
    GridCo2Factor,
    ReportingGridFactor,
    ResidualMixFactor,
    packaged_factors,
)
from shutan_collector.units import decimal_text

VECTORS = Path(__file__).parents[2] / "vectors"


def _cases(name: str) -> list[Any]:
    lines = (VECTORS / f"factors_{name}.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    return [pytest.param(row, id="-".join(str(value) for value in list(row.values())[:4])) for row in rows]


def _electricity(case: dict[str, Any]) -> tuple[object, Fraction]:
    """The factor of a case, and its value by the name that only its type has."""
    table, year, as_of = packaged_factors(), case["year"], date.fromisoformat(case["as_of"])
    if case["kind"] == "footprint":
        footprint = table.electricity_footprint(year, as_of)
        return footprint, footprint.kg_co2e_per_kwh
    if case["kind"] == "grid":
        found = table.grid_co2(case["region"], year, as_of)
    else:
        found = (table.grid_residual if case["kind"] == "residual" else table.grid_reporting)(year, as_of)
    return found, found.kg_co2_per_kwh


TYPES = {
    "grid": GridCo2Factor,
    "residual": ResidualMixFactor,
    "reporting": ReportingGridFactor,
    "footprint": ElectricityFootprintFactor,
}


@pytest.mark.parametrize("case", _cases("grid"))
def test_electricity_factor_of_a_year_as_known_on_a_day(case: dict[str, Any]) -> None:
    found, value = _electricity(case)
    assert type(found) is TYPES[case["kind"]]
    assert (found.row.id, found.row.text, found.provisional) == (case["id"], case["value"], case["provisional"])
    assert value == Fraction(case["value"])
    assert case["source"]


@pytest.mark.parametrize("case", _cases("fuel"))
def test_carbon_balance_of_a_fuel_comes_to_the_published_figure(case: dict[str, Any]) -> None:
    found = packaged_factors().fuel(case["family"], case["fuel"], date.fromisoformat(case["day"]))
    assert found.per == case["per"]
    parts = (found.ncv.value, found.carbon_content.value, found.oxidation_rate.value)
    assert parts == tuple(Fraction(case[name]) for name in ("ncv", "cc", "of"))
    assert decimal_text(found.t_co2_per_unit, case["places"]) == case["t_co2_per_unit"]
    assert case["source"]


@pytest.mark.parametrize("case", _cases("coal"))
def test_standard_coal_by_edition(case: dict[str, Any]) -> None:
    found = packaged_factors().coal(case["subject"], case["edition"], date.fromisoformat(case["day"]))
    assert (found.id, found.text, found.unit) == (case["id"], case["value"], case["unit"])
    assert case["source"]


def test_standard_coal_of_the_2020_edition_is_the_calorific_value_over_29_3076() -> None:
    table = packaged_factors()
    checked = 0
    for row in table:
        if row.parameter == "ncv_reference" and row.unit in {"kJ/kg", "kJ/m3"} and "2589-2020" in row.source:
            coefficient = table.by_id(row.id.removesuffix("-NCV"))
            # The printed tables round the calorific value and the coefficient on their own: half a unit of both.
            assert abs(row.value / 1000 / Fraction("29.3076") - coefficient.value) < Fraction("0.0001")
            checked += 1
    assert checked > 15


BLENDS = {
    "r410a": {"hfc-32": 50, "hfc-125": 50},
    "r404a": {"hfc-125": 44, "hfc-143a": 52, "hfc-134a": 4},
    "r407c": {"hfc-32": 23, "hfc-125": 25, "hfc-134a": 52},
    "r507a": {"hfc-125": 50, "hfc-143a": 50},
}


@pytest.mark.parametrize("name", ["AR5", "AR6"])
@pytest.mark.parametrize("blend", BLENDS)
def test_a_blend_is_the_mass_weighted_mean_of_its_gases(name: str, blend: str) -> None:
    gwp = packaged_factors().gwp(name)
    total = sum((gwp.of(gas).value * share for gas, share in BLENDS[blend].items()), Fraction())
    assert decimal_text(total / 100, 1) == gwp.of(blend).text


@pytest.mark.parametrize(
    ("name", "gas", "value"),
    [
        ("AR2", "ch4", "21"), ("AR4", "ch4", "25"), ("AR5", "ch4", "28"), ("AR6", "ch4_fossil", "29.8"),
        ("AR6", "ch4_bio", "27.0"), ("AR2", "n2o", "310"), ("AR5", "n2o", "265"), ("AR6", "n2o", "273"),
        ("AR5", "sf6", "23500"), ("AR5", "hfc-134a", "1300"), ("AR5", "co2", "1"), ("AR5", "hcfc-22", "1760"),
    ],
)  # fmt: skip
def test_potentials_of_the_assessment_reports(name: str, gas: str, value: str) -> None:
    assert packaged_factors().gwp(name).of(gas).text == value
