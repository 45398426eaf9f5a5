"""Every formula against another computation: by decimals here, and against published cases with their source."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from decimal import Context, Decimal, localcontext
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shutan_collector.carbon.formulas import FORMULAS, Emission, Term, evaluate
from shutan_collector.carbon.lines import Input, quantise_g
from shutan_collector.errors import FactorError
from shutan_collector.factors.table import Factor, packaged_factors

Case = dict[str, Any]  # one line of the vectors
CASES: list[Case] = [
    json.loads(text)
    for text in (Path(__file__).parents[2] / "vectors" / "carbon_cases.jsonl").read_text(encoding="utf-8").splitlines()
]
# Which row of the packaged table can stand for a role; the tests put their own value into it.
ROW = packaged_factors().by_id("GRID-SC-2023")


def row_of(role: str, text: str, unit: str) -> Factor:
    return replace(ROW, id=f"TEST-{role}", text=text, value=Fraction(text), unit=unit)


def of_case(case: Case) -> Emission:
    inputs = tuple(Input(name, Fraction(text), unit) for name, text, unit in case["inputs"])
    factors = {role: row_of(role, text, unit) for role, (text, unit) in case["factors"].items()}
    return evaluate(case["formula"], inputs, factors)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_published_case(case: Case) -> None:
    """The published figure is met within half of its last printed digit (or as `source` says)."""
    found = of_case(case)
    assert abs(found.gas_kg - Fraction(case["gas_kg"])) <= Fraction(case["within"])
    if "co2e_kg" in case:
        assert abs(found.co2e_kg - Fraction(case["co2e_kg"])) <= Fraction(case["co2e_within"])
    assert case["source"]


# The same formulas once more, by Decimal, with every division at the end: numerator and denominator apart.
Terms = dict[str, Decimal]
BY_HAND: dict[str, Callable[[Terms], tuple[Decimal, Decimal]]] = {
    "electricity.average/1": lambda t: (t["energy"] * t["ef"], Decimal(1000)),
    "electricity.instrument/1": lambda t: (t["energy"] * t["ef"], Decimal(1000)),
    "combustion.carbon_balance/1": lambda t: (t["fc"] * t["ncv"] * t["cc"] * t["of"] * 44, Decimal(1200)),
    "combustion.metered_gas/1": lambda t: (
        t["volume"] * t["pressure"] * t["ncv"] * t["cc"] * t["of"] * 44 * Decimal("273.15"),
        Decimal(12_000_000_000) * Decimal("101.325") * (t["temperature"] + Decimal("273.15")),
    ),
    "process.mass/1": lambda t: (t["mass"] * t["purity"] * t["conversion"] * t["ef"] * 1000, Decimal(1)),
    "process.clinker/1": lambda t: (
        # 44/56 = 110/140, 44/40 = 154/140
        t["mass"] * 1000 * (110 * (t["cao"] - t["cao_nc"]) + 154 * (t["mgo"] - t["mgo_nc"])),
        Decimal(140),
    ),
    "fugitive.stock_balance/1": lambda t: (t["opening"] - t["closing"] + t["bought"] - t["recovered"], Decimal(1)),
    "fugitive.top_up/1": lambda t: (t["topped_up"], Decimal(1)),
    "heat.energy/1": lambda t: (t["heat"] * t["ef"] * 1000, Decimal(1)),
    "heat.metered/1": lambda t: (t["heat"] * t["ef"], Decimal(1000)),
    "heat.steam_mass/1": lambda t: (t["mass"] * t["ef"] * (t["enthalpy"] - t["deduction"]), Decimal(1)),
    "heat.hot_water/1": lambda t: (t["mass"] * t["ef"] * (t["temperature"] - 20) * 41868, Decimal(10000)),
    "biogenic.fermentation/1": lambda t: (t["ethanol"] * 22000, Decimal(23)),
    "wastewater.ch4/1": lambda t: (
        t["cod_removed"] * t["bo"] * t["mcf"] - t["sludge"] * t["bo"] * t["mcf"] - t["recovered"],
        Decimal(1),
    ),
}
EXACT = Context(prec=200)  # more digits than any product of these terms has: nothing is rounded before the end


def test_every_formula_has_a_second_computation() -> None:
    assert set(BY_HAND) == set(FORMULAS)


def grams_by_hand(numerator: Decimal, denominator: Decimal) -> int:
    """round-half-even of numerator/denominator in grams, by comparing twice the rest."""
    whole, rest = divmod(Fraction(numerator) * 1000, Fraction(denominator))
    double = rest * 2
    return int(whole) + (double > Fraction(denominator) or (double == Fraction(denominator) and int(whole) % 2 == 1))


def values(term: Term) -> st.SearchStrategy[Decimal]:
    if term.units == ("Cel",):
        return st.decimals(-40, 400, places=2)
    return st.decimals(0, 10**7, places=4)


@pytest.mark.parametrize("name", sorted(FORMULAS))
@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_formula_is_exact(name: str, data: st.DataObject) -> None:
    formula = FORMULAS[name]
    inputs: list[Input] = []
    factors: dict[str, Factor] = {}
    terms: Terms = {}
    for term in formula.inputs:
        if not term.optional or data.draw(st.booleans()):
            terms[term.name] = data.draw(values(term))
            inputs.append(Input(term.name, Fraction(terms[term.name]), term.units[0]))
    for role in formula.roles:
        if role.name not in terms:
            terms[role.name] = data.draw(values(role))
            factors[role.name] = row_of(role.name, str(terms[role.name]), role.units[-1])
    found = evaluate(name, inputs, factors)
    with localcontext(EXACT):
        numerator, denominator = BY_HAND[name](terms)
        assert found.gas_kg == Fraction(numerator) / Fraction(denominator)
        assert quantise_g(found.gas_kg) == grams_by_hand(numerator, denominator)
        numerator *= terms.get("gwp", Decimal(1))
        assert quantise_g(found.co2e_kg) == grams_by_hand(numerator, denominator)


def test_texts_for_people_are_whole() -> None:
    for name, formula in FORMULAS.items():
        assert formula.name == name
        assert name.endswith("/1")
        assert formula.source
        assert any("一" <= sign <= "鿿" for sign in formula.text_zh)
        used = [*formula.inputs, *formula.roles]
        for term in used:
            assert term.name in formula.text_en, (name, term.name)
            assert term.units


def energy(unit: str = "Wh") -> Input:
    return Input("energy", Fraction(1000), unit)


EF = row_of("ef", "0.5", "kgCO2/kWh")


@pytest.mark.parametrize(
    ("inputs", "factors"),
    [
        ((), {"ef": EF}),
        ((energy(), energy()), {"ef": EF}),
        ((energy("kWh"),), {"ef": EF}),
        ((energy(), Input("ef", Fraction(1), "kgCO2/kWh")), {}),
        ((energy(),), {}),
        ((energy(),), {"ef": EF, "gwp": EF}),
    ],
)
def test_terms_that_are_not_the_formulas_are_refused(inputs: tuple[Input, ...], factors: dict[str, Factor]) -> None:
    with pytest.raises(ValueError, match=r"electricity\.average/1"):
        evaluate("electricity.average/1", inputs, factors)


def test_a_factor_in_another_unit_is_an_error_that_names_it() -> None:
    with pytest.raises(FactorError, match=r"TEST-ef: unit is tCO2/GJ, electricity\.average/1 needs kgCO2/kWh"):
        evaluate("electricity.average/1", (energy(),), {"ef": row_of("ef", "0.5", "tCO2/GJ")})


def test_a_measured_value_replaces_its_row_and_cannot_stand_beside_it() -> None:
    fuel = packaged_factors().fuel("FUELB", "diesel", date(2025, 6, 30))
    rows = {"ncv": fuel.ncv, "cc": fuel.carbon_content, "of": fuel.oxidation_rate}
    amount, own = Input("fc", Fraction(10), "t"), Input("ncv", Fraction("42.7"), "GJ/t")
    with pytest.raises(ValueError, match="ncv either from a factor row or from an input"):
        evaluate("combustion.carbon_balance/1", (amount, own), rows)
    del rows["ncv"]
    found = evaluate("combustion.carbon_balance/1", (amount, own), rows)
    assert found.gas_kg == Fraction(427) * fuel.carbon_content.value * fuel.oxidation_rate.value * 44 / 1200
