"""Lines of the carbon ledger (碳排放台账): what a durable ledger stores, what a report sums, what a verifier repeats.

A line is one emission with everything needed to compute it again: the quantities and factor rows that its formula
multiplies, and where they came from. Metered lines stand for one meter over one hour of the site's calendar (or a gap
that no hour can be cut out of); lines of documents for one document row, or group of rows, and month. Each is computed
in fractions and quantised once, to grams, half to even. Everything above a line is a sum of lines, so that hours, days,
months, meters and scopes add up exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fractions import Fraction

__all__ = ["Category", "FactorUse", "Input", "Line", "Scope", "Unvalued", "quantise_g"]


class Scope(StrEnum):
    """Where an emission is reported.

    The three scope 2 figures of electricity stand beside each other and are never added to one another; purchased heat
    belongs to each of them. Memo items (备注项) are in no total.

    scope2_location        基于位置: average factor of the region
    scope2_market          基于市场: certificates and contracts first, residual mix for the rest
    scope2_reporting       the national default that enterprise reporting prescribes
    memo_biogenic          CO2 from biomass, as of fermentation
    memo_outside           gases outside the seven of the Kyoto Protocol, as HCFC-22
    memo_export            electricity and heat handed to others, electricity by the location-based factor; a sector
                           form nets it where its guideline says net purchase (净购入)
    memo_export_reporting  the same exported electricity by the reporting default
    """

    SCOPE_1 = "scope1"
    SCOPE_2_LOCATION = "scope2_location"
    SCOPE_2_MARKET = "scope2_market"
    SCOPE_2_REPORTING = "scope2_reporting"
    SCOPE_2_HEAT = "scope2_heat"
    MEMO_BIOGENIC = "memo_biogenic"
    MEMO_OUTSIDE = "memo_outside"
    MEMO_EXPORT = "memo_export"
    MEMO_EXPORT_REPORTING = "memo_export_reporting"

    @property
    def memo(self) -> bool:
        """Whether it stands outside every total."""
        return self.value.startswith("memo_")


class Category(StrEnum):
    """What kind of activity emits."""

    COMBUSTION = "combustion"
    PROCESS = "process"
    FUGITIVE = "fugitive"
    ELECTRICITY = "electricity"
    HEAT = "heat"
    WASTEWATER = "wastewater"
    FERMENTATION = "fermentation"


@dataclass(frozen=True, slots=True)
class Input:
    """A quantity that a formula used and that is not a factor row: mass, purity, temperature, own measured value."""

    name: str
    value: Fraction
    unit: str


@dataclass(frozen=True, slots=True)
class FactorUse:
    """A row of the factor table in the role that the formula gives it."""

    role: str
    id: str


@dataclass(frozen=True, slots=True)
class Line:
    """One emission.

    id           unique within a period and stable over restatements: `source|scope|start_ns` of metered and market
                 lines, `activity:<kind>/<key>|scope|month` of documents
    source       "meter:<id>", "activity:<kind>", "market:<certificate key>", "market:contract/<key>",
                 "market:residual"
    gas          subject of the factor table's GWP rows: "co2", "ch4", "hfc-134a", ...
    formula      name and version in carbon/formulas.py
    flow         number of the flow in the readings of the source meter; None for a line that no meter counted
    activities   document rows, as "<kind>/<key>"; of a metered line only the analyses of its fuel, if there are any
    provisional  暂用: computed with an earlier year's factor, to be recalculated
    estimated    估算: a boundary was interpolated, or a quantity assumed
    exact        False if an unknown amount passed besides
    gas_g        mass of the gas in grams
    co2e_g       the same in CO2 equivalent, by the site's GWP set; each quantised once, from the exact fraction
    """

    id: str
    source: str
    scope: Scope
    category: Category
    gas: str
    start_ns: int
    end_ns: int
    inputs: tuple[Input, ...]
    factors: tuple[FactorUse, ...]
    formula: str
    flow: int | None
    activities: tuple[str, ...]
    provisional: bool
    estimated: bool
    exact: bool
    gas_g: int
    co2e_g: int


@dataclass(frozen=True, slots=True)
class Unvalued:
    """Activity that no line can hold, with the reason; a total without it says that it is not complete."""

    source: str
    start_ns: int
    end_ns: int
    value: Fraction
    unit: str
    reason: str


def quantise_g(kg: Fraction) -> int:
    """Whole grams, half to even; called once per figure of a line and nowhere else."""
    return round(kg * 1000)
