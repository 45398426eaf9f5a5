"""Carbon budgets (碳排放预算): total and intensity, per year and month, of the site or of an area.

    [budget]
    year = 2025
    name = "2025 plan"
    covers = "scope 1 + scope 2 location-based"
    tolerance_pct = 3                     # how far ahead of the plan is worth a warning

    [[line]]
    key = "site"
    basis = "total"                       # total, product, value_added, land_area
    annual = 5200                         # t; or months = [twelve values], or both if they agree

    [[line]]
    key = "bottling"
    area = "bottling"
    basis = "product"
    product = "baijiu-500"
    annual = "0.85"                       # kg per unit; value_added: t per 万元; land_area: kg per m2 and year

A line with basis "total" may state the output it was planned for, so that an overrun can be split into volume and
intensity: volume = { basis = "product", product = "baijiu-500", annual = 6000000 }. What is given by the year only and
adds up over months (a total, a volume, carbon per area of land) is planned by the days of each month; carbon per
product or value added holds for each month.
"""

from __future__ import annotations

import calendar
import csv
import io
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from shutan_collector.activity.cells import CellError, number_of
from shutan_collector.control.actuals import Basis
from shutan_collector.control.reading import Table, read_text, read_toml
from shutan_collector.errors import ControlError, Problem, RequestError
from shutan_collector.exact import exact_text

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "MONTHS",
    "TEMPLATE_CSV",
    "UNITS",
    "Budget",
    "BudgetLine",
    "PlannedVolume",
    "load_budget",
    "parse_budget",
    "parse_budget_csv",
    "write_template",
]

MONTHS: Final = 12
# Unit a budget is written in, and its grams.
UNITS: Final[dict[Basis, tuple[str, int]]] = {
    Basis.TOTAL: ("t", 1_000_000),
    Basis.PRODUCT: ("kg/unit", 1000),
    Basis.VALUE_ADDED: ("t/万元", 1_000_000),
    Basis.LAND_AREA: ("kg/m2", 1000),
}
DEFAULT_TOLERANCE: Final = Fraction(3, 100)
_COLUMNS: Final = ("key", "area", "basis", "product", "annual", *(f"{month:02}" for month in range(1, MONTHS + 1)))
TEMPLATE_CSV: Final = (
    ",".join(_COLUMNS)
    + "\r\nsite,,total,,5200"
    + "," * MONTHS
    + "\r\nbottling,bottling,product,baijiu-500,0.85"
    + "," * MONTHS
    + "\r\n"
)


@dataclass(frozen=True, slots=True)
class PlannedVolume:
    """Output or value added that a total budget was planned for, by month."""

    basis: Basis
    product: str
    months: tuple[Fraction, ...]


@dataclass(frozen=True, slots=True)
class BudgetLine:
    """One budget.

    area     "" for the site
    annual   grams; of an intensity grams per unit of its basis
    months   the same for each of the twelve months; of a total, and per area of land, they sum to annual
    volume   what a total was planned for, if that is stated
    """

    key: str
    area: str
    basis: Basis
    product: str
    annual: Fraction
    months: tuple[Fraction, ...]
    volume: PlannedVolume | None = None

    @property
    def unit(self) -> str:
        """Unit in which it is written and shown."""
        return UNITS[self.basis][0]

    def shown(self, grams: Fraction) -> Fraction:
        """Grams in that unit."""
        return grams / UNITS[self.basis][1]


@dataclass(frozen=True, slots=True)
class Budget:
    """All budgets of a year. covers: which emissions are counted, as stated by whoever set them."""

    year: int
    name: str
    covers: str
    tolerance: Fraction
    lines: tuple[BudgetLine, ...]

    @property
    def months(self) -> tuple[str, ...]:
        """The twelve months, "2025-01" and on."""
        return tuple(f"{self.year:04}-{month:02}" for month in range(1, MONTHS + 1))


def load_budget(path: Path, year: int | None = None) -> Budget:
    """A budget file, .toml or .csv (which needs the year). Raises ControlError with every mistake."""
    text = read_text(path)
    if path.suffix.lower() != ".csv":
        return parse_budget(text, str(path))
    if year is None:
        raise ControlError(str(path), (Problem("year", "a CSV budget does not state its year; give --year"),))
    return parse_budget_csv(text.removeprefix("\ufeff"), str(path), year)


def write_template(path: Path) -> None:
    """Write a CSV budget with two lines as an example. Raises RequestError if the file exists or cannot be written."""
    if path.suffix.lower() != ".csv":
        raise RequestError("--out", f"{path.name!r} is not .csv")
    if path.exists():
        raise RequestError("--out", f"{path} exists; choose another name")
    try:
        path.write_bytes(TEMPLATE_CSV.encode("utf-8-sig"))
    except OSError as error:
        raise RequestError("--out", f"{path} cannot be written: {error.strerror or error}") from error


def parse_budget(text: str, where: str) -> Budget:
    """A budget in TOML; `where` names it in errors."""
    root = read_toml(text, where)
    head = root.table("budget")
    year = head.integer("year")
    if head.has("year") and year not in _YEARS:
        head.wrong("year", f"found {year}; accepted: {_YEARS.start} to {_YEARS.stop - 1}")
    tolerance = head.optional("tolerance_pct", Fraction(0), Fraction(50))
    name, covers = head.text("name", ""), head.text("covers")
    head.finish()
    lines = tuple(_line(item, year if year in _YEARS else _YEARS.start) for item in root.tables("line"))
    root.finish()
    _check(lines, root)
    share = DEFAULT_TOLERANCE if tolerance is None else tolerance / 100
    return Budget(year, name or str(year), covers, share, lines)


def parse_budget_csv(text: str, where: str, year: int) -> Budget:
    """A budget as a table: key, area, basis, product, annual, 01 ... 12; empty months as in TOML."""
    problems: list[Problem] = []
    root = Table(where, "", {}, problems)
    rows = list(csv.reader(io.StringIO(text, newline="")))
    header = tuple(cell.strip() for cell in rows[0]) if rows else ()
    if set(header) - set(_COLUMNS) or {"key", "basis"} - set(header) or len(set(header)) != len(header):
        root.wrong("row 1", f"the columns must be {', '.join(_COLUMNS)}")
        root.told()
    lines: list[BudgetLine] = []
    for number, row in enumerate(rows[1:], start=2):
        cells = {name: cell.strip() for name, cell in zip(header, row, strict=False) if cell.strip()}
        if not cells:
            continue
        values: dict[str, object] = {name: cells[name] for name in ("key", "area", "basis", "product") if name in cells}
        item = Table(where, f"row {number}", values, problems)
        if "annual" in cells:
            values["annual"] = _csv_number(item, "annual", cells["annual"])
        months = [cells.get(name, "") for name in _COLUMNS[-MONTHS:]]
        if any(months):
            values["months"] = [
                _csv_number(item, name, cell) for name, cell in zip(_COLUMNS[-MONTHS:], months, strict=True)
            ]
        lines.append(_line(item, year))
    _check(tuple(lines), root)
    return Budget(year, str(year), "", DEFAULT_TOLERANCE, tuple(lines))


_YEARS: Final = range(1990, 2101)


def _csv_number(item: Table, name: str, cell: str) -> str:
    try:
        return exact_text(number_of(cell))
    except CellError as error:
        item.wrong(name, f"found {cell!r}; accepted: {error}")
        return "0"


def _line(item: Table, year: int) -> BudgetLine:
    key, area = item.text("key"), item.text("area", "")
    basis = Basis(item.choice("basis", tuple(Basis)))
    product = item.text("product") if basis is Basis.PRODUCT else ""
    if basis is not Basis.PRODUCT and item.has("product"):
        item.wrong("product", f"has no meaning for {basis}")
    scale = UNITS[basis][1]
    annual = item.optional("annual", Fraction(0))
    months = tuple(value * scale for value in item.numbers("months")) if item.has("months") else ()
    if months and (len(months) != MONTHS or min(months) < 0):
        item.wrong("months", f"must be {MONTHS} values, none below zero (found {len(months)})")
        months = ()
    if annual is None and not months:
        item.wrong("annual", "is needed, or months")
    volume = _volume(item.table("volume"), year) if item.has("volume") else None
    if volume is not None and basis is not Basis.TOTAL:
        item.wrong("volume", "belongs to a line with basis total")
    item.finish()
    return BudgetLine(key, area, basis, product, *_planned(item, basis, annual, months, year), volume)


def _volume(item: Table, year: int) -> PlannedVolume:
    basis = Basis(item.choice("basis", (Basis.PRODUCT.value, Basis.VALUE_ADDED.value)))
    product = item.text("product") if basis is Basis.PRODUCT else ""
    months = item.numbers("months") if item.has("months") else ()
    annual = item.number("annual", Fraction(0)) if not months or item.has("annual") else sum(months, Fraction(0))
    if months and (len(months) != MONTHS or sum(months, Fraction(0)) != annual):
        item.wrong("months", f"must be {MONTHS} values that sum to annual")
    item.finish()
    return PlannedVolume(basis, product, months if len(months) == MONTHS else _by_days(annual, year))


def _planned(
    item: Table, basis: Basis, annual: Fraction | None, months: tuple[Fraction, ...], year: int
) -> tuple[Fraction, tuple[Fraction, ...]]:
    """Year and months in grams."""
    whole = None if annual is None else annual * UNITS[basis][1]
    if basis not in {Basis.TOTAL, Basis.LAND_AREA}:
        value = whole if whole is not None else (sum(months, Fraction(0)) / MONTHS)
        return value, months or (value,) * MONTHS
    if months:
        total = sum(months, Fraction(0))
        if whole is not None and whole != total:
            found = exact_text(total / UNITS[basis][1])
            item.wrong("annual", f"is not the sum of the months, {found} {UNITS[basis][0]}; leave one of the two out")
        return total, months
    whole = whole or Fraction(0)
    return whole, _by_days(whole, year)


def _by_days(whole: Fraction, year: int) -> tuple[Fraction, ...]:
    """A year's amount over its months by their days; the parts sum to it exactly."""
    days = [calendar.monthrange(year, month)[1] for month in range(1, MONTHS + 1)]
    return tuple(whole * day / sum(days) for day in days)


def _check(lines: tuple[BudgetLine, ...], root: Table) -> None:
    """Keys stand once, and so does each combination of area, basis and product."""
    if not lines:
        root.wrong("line", "at least one budget line is needed")
    for number, line in enumerate(lines, start=1):
        for other in lines[: number - 1]:
            if other.key == line.key:
                root.wrong(f"line[{number}].key", f"{line.key!r} stands twice")
            elif (other.area, other.basis, other.product) == (line.area, line.basis, line.product):
                root.wrong(f"line[{number}]", f"budgets the same as {other.key!r}")
    root.told()
