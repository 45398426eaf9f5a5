"""Formulas of the carbon ledger, by name and version: texts for people, exact pure functions for the ledger.

A formula only multiplies. Which factor row serves an activity is decided where the line is made; what stands here is
what a verifier has to repeat. A formula's version changes when the same inputs would give another gram.

    mass of gas, kg   = the formula
    CO2 equivalent    = mass of gas × gwp, where the formula has that role; the mass itself for CO2
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from shutan_collector.carbon import equations
from shutan_collector.errors import FactorError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from shutan_collector.carbon.lines import Input
    from shutan_collector.factors.table import Factor

__all__ = ["FORMULAS", "Emission", "Formula", "Term", "evaluate"]


@dataclass(frozen=True, slots=True)
class Term:
    """One quantity of a formula and the units it is accepted in; an optional input replaces the factor of its name."""

    name: str
    units: tuple[str, ...]
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Formula:
    """A named version of a formula.

    text_en, text_zh   the formula as printed in evidence
    source             standard or guideline, with the part of it
    inputs             quantities of the activity
    roles              factor rows, by the role they play
    mass_kg            mass of gas from all terms by name
    """

    name: str
    text_en: str
    text_zh: str
    source: str
    inputs: tuple[Term, ...]
    roles: tuple[Term, ...]
    mass_kg: Callable[[Mapping[str, Fraction]], Fraction]


@dataclass(frozen=True, slots=True)
class Emission:
    """An exact result: mass of the gas and its CO2 equivalent, kg."""

    gas_kg: Fraction
    co2e_kg: Fraction


def evaluate(name: str, inputs: Sequence[Input], factors: Mapping[str, Factor]) -> Emission:
    """The emission of one line, in fractions.

    factors   rows by role: every role of the formula that no optional input replaces, and no other

    Raises FactorError if a row has another unit than its role needs, ValueError if the terms are not those of the
    formula: that is a defect of the caller, not of the data.
    """
    formula = FORMULAS[name]
    values = _inputs(formula, inputs)
    for role in formula.roles:
        row = factors.get(role.name)
        if (row is None) == (role.name not in values):
            raise ValueError(f"{name} takes {role.name} either from a factor row or from an input")
        if row is not None:
            if row.unit not in role.units:
                raise FactorError(row.id, f"unit is {row.unit}, {name} needs {' or '.join(role.units)}")
            values[role.name] = row.value
    if unknown := sorted(factors.keys() - {role.name for role in formula.roles}):
        raise ValueError(f"{name} has no role {', '.join(unknown)}")
    gas_kg = formula.mass_kg(values)
    return Emission(gas_kg, gas_kg * values.get("gwp", Fraction(1)))


def _inputs(formula: Formula, inputs: Sequence[Input]) -> dict[str, Fraction]:
    terms = {term.name: term for term in formula.inputs}
    values: dict[str, Fraction] = {}
    for given in inputs:
        term = terms.get(given.name)
        if term is None or given.name in values:
            raise ValueError(f"{formula.name} has no input {given.name}, or has it once")
        if given.unit not in term.units:
            raise ValueError(f"{formula.name}: {given.name} is in {given.unit}, needed {' or '.join(term.units)}")
        values[given.name] = given.value
    if missing := [term.name for term in formula.inputs if not term.optional and term.name not in values]:
        raise ValueError(f"{formula.name} lacks {', '.join(missing)}")
    return values


_NCV: Final = ("GJ/t", "GJ/1e4Nm3")
_FUEL_ROLES: Final = (Term("ncv", _NCV), Term("cc", ("tC/TJ",)), Term("of", ("%",)))
_FUEL_OWN: Final = (
    Term("ncv", _NCV, optional=True),
    Term("cc", ("tC/TJ",), optional=True),
    Term("of", ("%",), optional=True),
)
_GWP: Final = Term("gwp", ("kgCO2e/kg",))
_HEAT_EF: Final = Term("ef", ("tCO2/GJ",))
_OTHER_INDUSTRY: Final = "NDRC guideline for other industrial enterprises 工业其他行业 (发改办气候〔2015〕1722号)"

_ALL: Final = (
    Formula(
        name="electricity.average/1",
        text_en="kg CO2 = energy_wh / 1000 × ef",
        text_zh="排放量(kg) = 电量(Wh) ÷ 1000 × 电力平均排放因子",
        source="GB/T 32150, purchased electricity; GHG Protocol Scope 2 Guidance (2015) ch. 6, location-based",
        inputs=(Term("energy", ("Wh",)),),
        roles=(Term("ef", ("kgCO2/kWh",)),),
        mass_kg=equations.electricity,
    ),
    Formula(
        name="electricity.instrument/1",
        text_en="kg CO2 = energy_wh / 1000 × ef, ef as the certificate (0) or the contract states it",
        text_zh="排放量(kg) = 电量(Wh) ÷ 1000 × 绿证(0)或合同载明的排放因子",
        source="GHG Protocol Scope 2 Guidance (2015) ch. 6, market-based",
        inputs=(Term("energy", ("Wh",)), Term("ef", ("kgCO2/kWh",))),
        roles=(),
        mass_kg=equations.electricity,
    ),
    Formula(
        name="combustion.carbon_balance/1",
        text_en="kg CO2 = fc × ncv × cc/1000 × of/100 × 44/12 × 1000",
        text_zh="排放量(kg) = 燃料消费量 × 低位发热量 × 单位热值含碳量/1000 × 碳氧化率/100 × 44/12 × 1000",
        source=f"GB/T 32150, fuel combustion; {_OTHER_INDUSTRY}, fuel combustion",
        inputs=(Term("fc", ("t", "1e4Nm3")), *_FUEL_OWN),
        roles=_FUEL_ROLES,
        mass_kg=equations.carbon_balance,
    ),
    Formula(
        name="combustion.metered_gas/1",
        text_en="kg CO2 = fc × ncv × cc/1000 × of/100 × 44/12 × 1000, "
        "fc = volume_l/1000 × 273.15/(273.15 + temperature) × pressure/101.325 / 10000",
        text_zh="排放量(kg) = 标准状况体积(万Nm3) × 低位发热量 × 单位热值含碳量/1000 × 碳氧化率/100 × 44/12 × 1000，"
        "标准状况体积 = 体积(L)/1000 × 273.15/(273.15+温度) × 压力/101.325 ÷ 10000",
        source=f"GB/T 32150, fuel combustion; {_OTHER_INDUSTRY}, fuel combustion; Nm3 at 0 °C, 101.325 kPa",
        inputs=(Term("volume", ("L",)), Term("temperature", ("Cel",)), Term("pressure", ("kPa",)), *_FUEL_OWN),
        roles=_FUEL_ROLES,
        mass_kg=equations.metered_gas,
    ),
    Formula(
        name="process.mass/1",
        text_en="kg CO2 = mass_t × purity × conversion × ef × 1000",
        text_zh="排放量(kg) = 质量(t) × 纯度 × 转化率 × 排放因子 × 1000",
        source=f"GB/T 32150, industrial processes; {_OTHER_INDUSTRY}, carbonates",
        inputs=(Term("mass", ("t",)), Term("purity", ("1",)), Term("conversion", ("1",))),
        roles=(Term("ef", ("tCO2/t", "tCO2/tCO2")),),
        mass_kg=equations.process_mass,
    ),
    Formula(
        name="process.clinker/1",
        text_en="kg CO2 = mass_t × ((cao − cao_nc) × 44/56 + (mgo − mgo_nc) × 44/40) × 1000",
        text_zh="排放量(kg) = 熟料产量(t) × [(CaO含量 − 非碳酸盐CaO含量) × 44/56 "
        "+ (MgO含量 − 非碳酸盐MgO含量) × 44/40] × 1000",
        source="GB/T 32151.8, decomposition of raw-meal carbonates",
        inputs=(
            Term("mass", ("t",)),
            *(Term(name, ("1",)) for name in ("cao", "cao_nc", "mgo", "mgo_nc")),
        ),
        roles=(),
        mass_kg=equations.clinker,
    ),
    Formula(
        name="fugitive.stock_balance/1",
        text_en="kg = opening + bought − closing − recovered; CO2e = kg × gwp",
        text_zh="逸散量(kg) = 期初 + 购入 − 期末 − 回收；CO2当量 = 逸散量 × 全球变暖潜势",
        source="ISO 14064-1:2018, direct fugitive emissions; IPCC 2006 Vol. 3 ch. 7 and 8, mass balance",
        inputs=tuple(Term(name, ("kg",)) for name in ("opening", "bought", "closing", "recovered")),
        roles=(_GWP,),
        mass_kg=equations.stock_balance,
    ),
    Formula(
        name="fugitive.top_up/1",
        text_en="kg = topped_up; CO2e = kg × gwp",
        text_zh="逸散量(kg) = 补充量；CO2当量 = 逸散量 × 全球变暖潜势",
        source="ISO 14064-1:2018, direct fugitive emissions; IPCC 2006 Vol. 3 ch. 7 and 8, service records",
        inputs=(Term("topped_up", ("kg",)),),
        roles=(_GWP,),
        mass_kg=equations.top_up,
    ),
    Formula(
        name="heat.energy/1",
        text_en="kg CO2 = heat_gj × ef × 1000",
        text_zh="排放量(kg) = 热量(GJ) × 热力排放因子 × 1000",
        source=f"GB/T 32150, purchased heat; {_OTHER_INDUSTRY}, purchased heat",
        inputs=(Term("heat", ("GJ",)),),
        roles=(_HEAT_EF,),
        mass_kg=equations.heat_energy,
    ),
    Formula(
        name="heat.metered/1",
        text_en="kg CO2 = heat_kj / 1000000 × ef × 1000",
        text_zh="排放量(kg) = 热量(kJ) ÷ 1000000 × 热力排放因子 × 1000",
        source=f"GB/T 32150, purchased heat; {_OTHER_INDUSTRY}, purchased heat",
        inputs=(Term("heat", ("kJ",)),),
        roles=(_HEAT_EF,),
        mass_kg=equations.heat_metered,
    ),
    Formula(
        name="heat.steam_mass/1",
        text_en="kg CO2 = mass_t × (enthalpy − deduction) / 1000 × ef × 1000",
        text_zh="排放量(kg) = 蒸汽质量(t) × (蒸汽焓 − 扣减焓83.74) ÷ 1000 × 热力排放因子 × 1000",
        source=f"{_OTHER_INDUSTRY}, steam as heat",
        inputs=(Term("mass", ("t",)), Term("enthalpy", ("kJ/kg",))),
        roles=(Term("deduction", ("kJ/kg",)), _HEAT_EF),
        mass_kg=equations.steam_mass,
    ),
    Formula(
        name="heat.hot_water/1",
        text_en="kg CO2 = mass_t × (temperature − 20) × 4.1868 / 1000 × ef × 1000",
        text_zh="排放量(kg) = 热水质量(t) × (水温 − 20) × 4.1868 ÷ 1000 × 热力排放因子 × 1000",
        source=f"{_OTHER_INDUSTRY}, hot water as heat",
        inputs=(Term("mass", ("t",)), Term("temperature", ("Cel",))),
        roles=(_HEAT_EF,),
        mass_kg=equations.hot_water,
    ),
    Formula(
        name="biogenic.fermentation/1",
        text_en="kg CO2 (biogenic) = ethanol_t × 44/46 × 1000",
        text_zh="生物源排放量(kg) = 乙醇产量(t) × 44/46 × 1000",
        source="Stoichiometry C6H12O6 → 2 C2H5OH + 2 CO2; ISO 14064-1:2018, biogenic CO2 apart",
        inputs=(Term("ethanol", ("t",)),),
        roles=(),
        mass_kg=equations.fermentation,
    ),
    Formula(
        name="wastewater.ch4/1",
        text_en="kg CH4 = (cod_removed − sludge) × bo × mcf − recovered; CO2e = kg × gwp",
        text_zh="甲烷(kg) = (去除的COD − 污泥带走的COD) × 最大产甲烷能力 × 甲烷修正因子 − 回收量；"
        "CO2当量 = 甲烷 × 全球变暖潜势",
        source=f"{_OTHER_INDUSTRY}, anaerobic treatment of industrial waste water; IPCC 2006 Vol. 5 ch. 6",
        inputs=(*(Term(name, ("kg",)) for name in ("cod_removed", "sludge", "recovered")), Term("mcf", ("1",))),
        roles=(Term("bo", ("kgCH4/kgCOD",)), _GWP),
        mass_kg=equations.wastewater,
    ),
)  # fmt: skip
FORMULAS: Final[Mapping[str, Formula]] = {formula.name: formula for formula in _ALL}
