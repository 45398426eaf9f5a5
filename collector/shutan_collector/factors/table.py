"""The factor table (排放因子库): typed rows, and the rule which row serves an activity.

A factor's value is the exact fraction of its decimal text. Nothing here has a default: a factor that is not in the
table, or not valid for the activity, is a FactorError that names it.
"""

from __future__ import annotations

import calendar
import csv
import re
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Final

from shutan_collector.errors import FactorError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = [
    "CARBON_TO_CO2",
    "ElectricityFootprintFactor",
    "Factor",
    "FactorTable",
    "FuelFactors",
    "GridCo2Factor",
    "packaged_factors",
]

CARBON_TO_CO2: Final = Fraction(44, 12)  # as all Chinese guidelines write it, not 44.01/12.011
_COLUMNS = (
    "id", "category", "fuel_or_energy", "name_zh", "name_en", "parameter", "value", "unit",
    "valid_from", "valid_to", "region", "source", "confidence",
)  # fmt: skip
_CONFIDENCE = ("high", "medium", "low")
_ISSUED_DAY = re.compile(r"(?:issued|dated) (\d{4}-\d{2}-\d{2})")
_ISSUED_MONTH = re.compile(r"\((" + "|".join(calendar.month_name[1:]) + r") (\d{4})\)")
# Newer tables head the column "10^-2 tC/GJ" and print tC/TJ: a slip of a power of ten falls outside this range.
_CARBON_PER_GJ = (Fraction("0.012"), Fraction("0.071"))


@dataclass(frozen=True, slots=True)
class Factor:
    """One row of the table; `text` is the decimal as printed, `value` the same number exactly, in `unit`."""

    id: str
    category: str
    subject: str
    name_zh: str
    name_en: str
    parameter: str
    text: str
    value: Fraction
    unit: str
    valid_from: date | None
    valid_to: date | None
    issued: date | None
    region: str
    source: str
    confidence: str

    def serves(self, day: date) -> bool:
        """Whether an activity of that day lies within the row's validity."""
        return (self.valid_from is None or self.valid_from <= day) and (self.valid_to is None or day <= self.valid_to)


@dataclass(frozen=True, slots=True)
class GridCo2Factor:
    """Average CO2 factor of a grid (电力平均二氧化碳排放因子), kg CO2 per kWh, for scope 2.

    provisional   暂用: the activity year's own factor was not issued at the report date
    """

    row: Factor
    provisional: bool

    @property
    def kg_co2_per_kwh(self) -> Fraction:
        """The factor itself."""
        return self.row.value


@dataclass(frozen=True, slots=True)
class ElectricityFootprintFactor:
    """Life-cycle factor of electricity (电力碳足迹因子), kg CO2e per kWh, for product footprints only."""

    row: Factor
    provisional: bool

    @property
    def kg_co2e_per_kwh(self) -> Fraction:
        """The factor itself."""
        return self.row.value


@dataclass(frozen=True, slots=True)
class FuelFactors:
    """The three defaults of one gaseous fuel in one family, for the carbon-balance form.

    ncv              net calorific value (低位发热量), GJ per 1e4 Nm3
    carbon_content   carbon per unit of heat (单位热值含碳量), printed in tC/TJ
    oxidation_rate   碳氧化率, printed in percent
    """

    family: str
    ncv: Factor
    carbon_content: Factor
    oxidation_rate: Factor

    @property
    def t_co2_per_1e4_nm3(self) -> Fraction:
        """NCV × CC × OF × 44/12."""
        carbon_t_per_gj = self.carbon_content.value / 1000
        return self.ncv.value * carbon_t_per_gj * (self.oxidation_rate.value / 100) * CARBON_TO_CO2

    @property
    def ids(self) -> tuple[str, ...]:
        """Ids of the three rows."""
        return (self.ncv.id, self.carbon_content.id, self.oxidation_rate.id)


class FactorTable:
    """All factors by id; immutable once built."""

    def __init__(self, rows: Iterable[Factor]) -> None:
        self._rows: dict[str, Factor] = {}
        self._of_region: dict[tuple[str, str, str], list[Factor]] = {}
        self._of_subject: dict[tuple[str, str, str], list[Factor]] = {}
        for row in rows:
            if row.id in self._rows:
                raise FactorError(row.id, "the id stands twice in the factor table")
            self._rows[row.id] = row
            self._of_region.setdefault((row.category, row.parameter, row.region), []).append(row)
            self._of_subject.setdefault((row.category, row.subject, row.parameter), []).append(row)

    @classmethod
    def parse(cls, text: str, where: str) -> FactorTable:
        """Table from CSV text; raises FactorError with line and column of the first malformed row."""
        reader = csv.DictReader(text.splitlines())
        if tuple(reader.fieldnames or ()) != _COLUMNS:
            raise FactorError(where, f"the columns must be {','.join(_COLUMNS)}")
        return cls(_factor(row, f"{where}:{line}") for line, row in enumerate(reader, start=2))

    def __len__(self) -> int:
        return len(self._rows)

    def by_id(self, factor_id: str) -> Factor:
        """The row of that id."""
        try:
            return self._rows[factor_id]
        except KeyError:
            raise FactorError(factor_id, "no such factor in the table") from None

    def grid_co2(self, region: str, year: int, as_of: date) -> GridCo2Factor:
        """Location-based (基于位置) factor of a region for an activity year, as a report of `as_of` has to use it."""
        kind = ("grid_electricity", "co2_average", region)
        row, provisional = self._yearly(kind, "kgCO2/kWh", year, as_of)
        return GridCo2Factor(row, provisional)

    def electricity_footprint(self, year: int, as_of: date) -> ElectricityFootprintFactor:
        """National life-cycle factor for an activity year."""
        kind = ("electricity_footprint", "co2e_life_cycle", "CN")
        row, provisional = self._yearly(kind, "kgCO2e/kWh", year, as_of)
        return ElectricityFootprintFactor(row, provisional)

    def gas_fuel(self, family: str, fuel: str, day: date) -> FuelFactors:
        """Default NCV, carbon content and oxidation rate of a gaseous fuel; all of one family, valid on that day."""
        ncv = self._fuel_row(family, fuel, "ncv", "GJ/1e4Nm3", day)
        carbon_content = self._fuel_row(family, fuel, "carbon_content", "tC/TJ", day)
        oxidation_rate = self._fuel_row(family, fuel, "oxidation_rate", "%", day)
        return FuelFactors(family, ncv, carbon_content, oxidation_rate)

    def _yearly(self, kind: tuple[str, str, str], unit: str, year: int, as_of: date) -> tuple[Factor, bool]:
        """Row of the latest issued year up to `year`, and whether it is provisional.

        kind: category, parameter, region.
        """
        named = f"{kind[0]}/{kind[1]} for {kind[2]} {year}"
        issued = {
            row.valid_from.year: row
            for row in self._of_region.get(kind, [])
            if row.valid_from is not None
            and row.issued is not None
            and row.issued <= as_of
            and row.valid_from.year <= year
        }
        if not issued:
            raise FactorError(named, f"no factor of this or an earlier year was issued by {as_of}")
        row = issued[max(issued)]
        if row.unit != unit:
            raise FactorError(row.id, f"unit is {row.unit}, expected {unit}")
        return row, max(issued) != year

    def _fuel_row(self, family: str, fuel: str, parameter: str, unit: str, day: date) -> Factor:
        named = f"{family} {fuel} {parameter}"
        candidates = self._of_subject.get(("combustion", fuel, parameter), [])
        rows = [row for row in candidates if row.id.startswith(f"{family}-")]
        if not rows:
            raise FactorError(named, "no such factor in the table")
        valid = [row for row in rows if row.serves(day)]
        if not valid:
            span = ", ".join(f"{row.id} serves {row.valid_from or '…'} to {row.valid_to or '…'}" for row in rows)
            raise FactorError(named, f"no factor is valid on {day} ({span}); choose another fuel_family")
        if len(valid) > 1:
            raise FactorError(named, f"ambiguous on {day}: {', '.join(row.id for row in valid)}")
        if valid[0].unit != unit:
            raise FactorError(valid[0].id, f"unit is {valid[0].unit}, expected {unit}")
        return valid[0]


@cache
def packaged_factors() -> FactorTable:
    """The table that ships with the package (factors/data/emission_factors.csv)."""
    path = resources.files("shutan_collector") / "factors" / "data" / "emission_factors.csv"
    return FactorTable.parse(path.read_text(encoding="utf-8"), "emission_factors.csv")


def _factor(row: Mapping[str, str | None], where: str) -> Factor:
    cells = {name: row.get(name) or "" for name in _COLUMNS}
    if missing := [name for name in _COLUMNS if not cells[name] and name not in {"valid_from", "valid_to"}]:
        raise FactorError(where, f"empty: {', '.join(missing)}")
    if cells["confidence"] not in _CONFIDENCE:
        raise FactorError(where, f"confidence is {cells['confidence']!r}, accepted: {', '.join(_CONFIDENCE)}")
    if not re.fullmatch(r"\d+(\.\d+)?", cells["value"]):
        raise FactorError(where, f"value {cells['value']!r} is not a plain decimal")
    value = Fraction(cells["value"])
    if cells["parameter"] == "carbon_content" and not _CARBON_PER_GJ[0] <= value / 1000 <= _CARBON_PER_GJ[1]:
        raise FactorError(where, f"carbon content {cells['value']} {cells['unit']} is not within 12 to 71 tC/TJ")
    valid_from, valid_to = (_day(cells[name], name, where) for name in ("valid_from", "valid_to"))
    return Factor(
        id=cells["id"],
        category=cells["category"],
        subject=cells["fuel_or_energy"],
        name_zh=cells["name_zh"],
        name_en=cells["name_en"],
        parameter=cells["parameter"],
        text=cells["value"],
        value=value,
        unit=cells["unit"],
        valid_from=valid_from,
        valid_to=valid_to,
        issued=_issued(cells["source"], where),
        region=cells["region"],
        source=cells["source"],
        confidence=cells["confidence"],
    )


def _issued(source: str, where: str) -> date | None:
    """Day of issue as the source names it; a bare month counts from its last day, never earlier than the truth."""
    if found := _ISSUED_DAY.search(source):
        return _day(found[1], "source", where)
    if found := _ISSUED_MONTH.search(source):
        year, month = int(found[2]), list(calendar.month_name).index(found[1])
        return date(year, month, calendar.monthrange(year, month)[1])
    return None


def _day(text: str, column: str, where: str) -> date | None:
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise FactorError(where, f"{column}: {text!r} is not a date") from None
