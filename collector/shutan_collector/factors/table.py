"""The factor table (排放因子库): the rule which row serves an activity.

Two times decide. The activity's time lies in a row's validity (valid_from, valid_to); the report's date, `as_of`, is
not before its issue (known_from). Nothing here has a default, and nothing falls back to another region, family or
edition: a factor that is not in the table, or does not serve, is a FactorError that names it and says what exists.
"""

from __future__ import annotations

import re
from datetime import date
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

from shutan_collector.errors import FactorError
from shutan_collector.factors.file import factor_of_row, parse_rows
from shutan_collector.factors.gwp import GWP_SETS, GwpSet
from shutan_collector.factors.rows import (
    CARBON_TO_CO2,
    ElectricityFootprintFactor,
    Factor,
    FuelFactors,
    GridCo2Factor,
    HeatFactor,
    ProcessFactor,
    ReportingGridFactor,
    ResidualMixFactor,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = [
    "CARBON_TO_CO2",
    "ElectricityFootprintFactor",
    "Factor",
    "FactorTable",
    "FuelFactors",
    "GridCo2Factor",
    "HeatFactor",
    "ProcessFactor",
    "ReportingGridFactor",
    "ResidualMixFactor",
    "factor_of_row",
    "packaged_factors",
]

# Parameters of a fuel; behind "GJ/" stands what it is counted in.
_FUEL_UNITS = {"ncv": ("GJ/t", "GJ/1e4Nm3"), "carbon_content": ("tC/TJ",), "oxidation_rate": ("%",)}
# "GB/T 2589-2020 Annex A (same in 2008 edition)": a row belongs to each edition its source names.
_EDITION = re.compile(r"GB/T 2589-(\d{4})|same in (\d{4}) edition")


class FactorTable:
    """All factors by id; immutable once built."""

    def __init__(self, rows: Iterable[Factor], later: Iterable[Factor] = ()) -> None:
        """`later`: rows that exist but are not known here; they serve nothing, errors name them."""
        self._later = tuple(later)
        self._rows: dict[str, Factor] = {}
        self._of_region: dict[tuple[str, str, str], list[Factor]] = {}
        self._of_subject: dict[tuple[str, str, str], list[Factor]] = {}
        self._known: dict[date, FactorTable] = {}
        for row in rows:
            if row.id in self._rows:
                raise FactorError(row.id, "the id stands twice in the factor table")
            self._rows[row.id] = row
            self._of_region.setdefault((row.category, row.parameter, row.region), []).append(row)
            self._of_subject.setdefault((row.category, row.subject, row.parameter), []).append(row)

    @classmethod
    def parse(cls, text: str, where: str) -> FactorTable:
        """Table from CSV text; raises FactorError with line and column of the first malformed row."""
        return cls(parse_rows(text, where))

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Factor]:
        return iter(self._rows.values())

    def known(self, as_of: date) -> FactorTable:
        """The table as it stood on that day: without the rows issued later."""
        if as_of not in self._known:
            later = [*self._later, *(row for row in self if not row.known(as_of))]
            self._known[as_of] = FactorTable((row for row in self if row.known(as_of)), later)
        return self._known[as_of]

    def by_id(self, factor_id: str) -> Factor:
        """The row of that id."""
        try:
            return self._rows[factor_id]
        except KeyError:
            raise FactorError(factor_id, "no such factor in the table") from None

    def grid_co2(self, region: str, year: int, as_of: date) -> GridCo2Factor:
        """Location-based (基于位置) factor of a region for an activity year, as a report of `as_of` has to use it."""
        return GridCo2Factor(*self._yearly(("grid_electricity", "co2_average", region), "kgCO2/kWh", year, as_of))

    def grid_residual(self, year: int, as_of: date) -> ResidualMixFactor:
        """National residual mix for an activity year, for what no contract or certificate covers."""
        return ResidualMixFactor(
            *self._yearly(("grid_electricity", "co2_residual_mix", "CN"), "kgCO2/kWh", year, as_of)
        )

    def grid_reporting(self, year: int, as_of: date) -> ReportingGridFactor:
        """National figure prescribed for enterprise reports of an activity year."""
        return ReportingGridFactor(
            *self._yearly(("grid_electricity", "co2_reporting_default", "CN"), "kgCO2/kWh", year, as_of)
        )

    def electricity_footprint(self, year: int, as_of: date) -> ElectricityFootprintFactor:
        """National life-cycle factor for an activity year."""
        return ElectricityFootprintFactor(
            *self._yearly(("electricity_footprint", "co2e_life_cycle", "CN"), "kgCO2e/kWh", year, as_of)
        )

    def fuel(self, family: str, fuel: str, day: date) -> FuelFactors:
        """Default NCV, carbon content and oxidation rate of a fuel; all of one family, valid on that day."""
        ncv, carbon_content, oxidation_rate = (self.fuel_parameter(family, fuel, name, day) for name in _FUEL_UNITS)
        return FuelFactors(family, ncv.unit.removeprefix("GJ/"), ncv, carbon_content, oxidation_rate)

    def gas_fuel(self, family: str, fuel: str, day: date) -> FuelFactors:
        """The same for a fuel that must be a gas counted in 1e4 Nm3."""
        found = self.fuel(family, fuel, day)
        if found.per != "1e4Nm3":
            raise FactorError(found.ncv.id, f"unit is {found.ncv.unit}, expected GJ/1e4Nm3")
        return found

    def heat(self, day: date) -> HeatFactor:
        """Factor of purchased heat (外购热力) on that day."""
        return HeatFactor(self._one(("purchased_heat", "heat", "co2_average"), ("tCO2/GJ",), day))

    def steam_deduction(self, day: date) -> Factor:
        """Enthalpy of the feed water that is deducted from that of steam, kJ/kg."""
        return self._one(("purchased_heat", "steam", "enthalpy_deduction"), ("kJ/kg",), day)

    def process(self, subject: str, day: date) -> ProcessFactor:
        """CO2 of a process input (过程排放) by its subject ("calcium_carbonate") on that day."""
        return ProcessFactor(self._one(("process", subject, "co2_process"), ("tCO2/t", "tCO2/tCO2"), day))

    def wastewater_bo(self, day: date) -> Factor:
        """Greatest methane capacity of waste water (废水厌氧处理最大甲烷产生能力), kg CH4 per kg COD."""
        return self._one(("process", "wastewater", "bo"), ("kgCH4/kgCOD",), day)

    def gwp(self, set_name: str) -> GwpSet:
        """A set of global warming potentials by name: AR2, AR4, AR5 or AR6."""
        if set_name not in GWP_SETS:
            raise FactorError(f"GWP set {set_name}", f"no such set; accepted: {', '.join(GWP_SETS)}")
        parameter = f"gwp100_{set_name.lower()}"
        rows = tuple(row for row in self if row.category == "gwp" and row.parameter == parameter)
        for row in rows:
            _expect(row, ("kgCO2e/kg",))
        return GwpSet(set_name, rows)

    def coal(self, subject: str, edition: str, day: date) -> Factor:
        """Coefficient to standard coal (折标准煤系数) of an energy or energy medium (耗能工质), kgce per unit.

        subject   "electricity", "raw_coal", "fresh_water"...; where an edition prints a range or several grades
                  (natural gas), the id of the chosen row
        edition   "2008" or "2020" of GB/T 2589
        """
        rows = [
            row for row in self
            if row.category in {"standard_coal", "energy_medium"}
            and row.parameter == "tce_coefficient"
            and subject in {row.subject, row.id}
            and edition in _editions(row)
        ]  # fmt: skip
        return _single(rows, f"standard coal of {subject}, GB/T 2589-{edition}", day)

    def _yearly(self, kind: tuple[str, str, str], unit: str, year: int, as_of: date) -> tuple[Factor, bool]:
        """Row of the activity year once issued, else of the latest issued year before it; and if it is provisional.

        kind: category, parameter, region. Of two rows for the same year the one issued later corrects the other.
        """
        named = f"{kind[0]}/{kind[1]} for {kind[2]} {year}"
        rows = self._of_region.get(kind, [])
        later = [row for row in self._later if (row.category, row.parameter, row.region) == kind]
        if not rows and not later:
            regions = sorted(
                region for category, parameter, region in self._of_region if (category, parameter) == kind[:2]
            )
            raise FactorError(
                named, f"the table has no row for {kind[2]}, only for {', '.join(regions) or 'no region'}"
            )
        usable = [(row.years, row) for row in rows if row.known(as_of) and row.years[0] <= year]
        if not usable:
            there = "; ".join(
                f"{row.id} serves {row.valid_from} to {row.valid_to}, {_since(row)}" for row in (*rows, *later)
            )
            raise FactorError(named, f"no factor of this or an earlier year was issued by {as_of} ({there})")
        years, row = max(usable, key=lambda pair: (min(pair[0][1], year), pair[1].known_from or date.min))
        twins = [other.id for span, other in usable if span == years and other.known_from == row.known_from]
        if len(twins) > 1:
            raise FactorError(named, f"ambiguous: {', '.join(twins)}")
        _expect(row, (unit,))
        return row, years[1] < year

    def fuel_parameter(self, family: str, fuel: str, parameter: str, day: date) -> Factor:
        """One default of a fuel: "ncv", "carbon_content" or "oxidation_rate", of one family, valid on that day."""
        named = f"{family} {fuel} {parameter}"
        candidates = self._of_subject.get(("combustion", fuel, parameter), [])
        rows = [row for row in candidates if row.id.startswith(f"{family}-")]
        if not rows:
            other = ", ".join(row.id for row in candidates) or "no family has it"
            raise FactorError(named, f"no such factor in the table; other families are not mixed in ({other})")
        row = _single(rows, named, day, "; choose another fuel_family")
        _expect(row, _FUEL_UNITS[parameter])
        return row

    def _one(self, kind: tuple[str, str, str], units: tuple[str, ...], day: date) -> Factor:
        """The row of (category, subject, parameter) that serves a day."""
        row = _single(self._of_subject.get(kind, []), f"{kind[0]}/{kind[2]} of {kind[1]}", day)
        _expect(row, units)
        return row


@cache
def packaged_factors() -> FactorTable:
    """The table that ships with the package, unverified: `release.load_release` checks its signature."""
    path = resources.files("shutan_collector") / "factors" / "data" / "emission_factors.csv"
    return FactorTable.parse(path.read_text(encoding="utf-8"), "emission_factors.csv")


def _single(rows: list[Factor], named: str, day: date, remedy: str = "") -> Factor:
    """The one row that serves a day; of the same validity the one issued last."""
    if not rows:
        raise FactorError(named, "no such factor in the table")
    valid = [row for row in rows if row.serves(day)]
    if not valid:
        span = ", ".join(f"{row.id} serves {row.valid_from or '…'} to {row.valid_to or '…'}" for row in rows)
        raise FactorError(named, f"no factor is valid on {day} ({span}){remedy}")
    issued = max(row.known_from or date.min for row in valid)
    latest = [row for row in valid if (row.known_from or date.min) == issued]
    if len(latest) > 1:
        there = ", ".join(f"{row.id} ({row.text} {row.unit})" for row in latest)
        raise FactorError(named, f"ambiguous on {day}: choose one by its id: {there}")
    return latest[0]


def _expect(row: Factor, units: tuple[str, ...]) -> None:
    if row.unit not in units:
        raise FactorError(row.id, f"unit is {row.unit}, expected {' or '.join(units)}")


def _editions(row: Factor) -> set[str]:
    return {first or second for first, second in _EDITION.findall(row.source)}


def _since(row: Factor) -> str:
    return f"issued {row.known_from}" if row.known_from else "known always"
