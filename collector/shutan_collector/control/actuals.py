"""What was emitted, month by month, and what it is measured against: output, value added, land.

Plain values, so that the same control runs on closed months of the ledger, on a summary, or on a JSON file.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from shutan_collector.activity.kinds import days_of
from shutan_collector.control.reading import Table, read_json

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shutan_collector.activity.kinds import ActivityBook

__all__ = ["Actual", "Actuals", "Basis", "Volume", "actuals_from", "parse_actuals", "volumes_of"]

SCHEMA: Final = "shutan.actuals/1"


class Basis(StrEnum):
    """What an emission is divided by: nothing (总量), or output, value added, land (强度)."""

    TOTAL = "total"
    PRODUCT = "product"
    VALUE_ADDED = "value_added"
    LAND_AREA = "land_area"


@dataclass(frozen=True, slots=True)
class Actual:
    """Emission of one source in one month ("2025-06"), grams of CO2 equivalent; area and carrier may be empty."""

    month: str
    source: str
    area: str
    carrier: str
    co2e_g: int


@dataclass(frozen=True, slots=True)
class Volume:
    """What a month is measured against; `name` is the product, empty for value added (万元) and land (m2).

    Land is what is in force during the month, not a quantity that months add up.
    """

    month: str
    basis: Basis
    name: str
    value: Fraction


@dataclass(frozen=True, slots=True)
class Actuals:
    """Emissions and volumes of a year; every month up to the last one with an emission counts as finished."""

    rows: tuple[Actual, ...]
    volumes: tuple[Volume, ...] = ()

    def months(self) -> tuple[str, ...]:
        """Months with an emission, in order."""
        return tuple(sorted({row.month for row in self.rows}))

    def by_month(self, area: str = "") -> dict[str, int]:
        """Grams by month, of one area or (empty) of all."""
        found: dict[str, int] = defaultdict(int)
        for row in self.rows:
            if not area or row.area == area:
                found[row.month] += row.co2e_g
        return {month: found[month] for month in self.months()}

    def volume(self, basis: Basis, name: str, months: Iterable[str]) -> Fraction | None:
        """Volume of those months together; of land the mean; None if a month has none."""
        by_month: dict[str, Fraction] = defaultdict(Fraction)
        for item in self.volumes:
            if item.basis is basis and item.name == name:
                by_month[item.month] += item.value
        wanted = tuple(months)
        if not wanted or any(month not in by_month for month in wanted):
            return None
        total = sum((by_month[month] for month in wanted), Fraction(0))
        return total / len(wanted) if basis is Basis.LAND_AREA else total


def actuals_from(rows: Iterable[Actual], book: ActivityBook, year: str) -> Actuals:
    """Emissions with the volumes of a year's activity rows; scrap is not output."""
    months = [f"{year}-{number:02}" for number in range(1, 13)]
    return Actuals(tuple(rows), tuple(volume for month in months for volume in volumes_of(book, month)))


def volumes_of(book: ActivityBook, month: str) -> tuple[Volume, ...]:
    """Good output by product, value added, and the mean land area of a month."""
    chosen = book.select(month)
    good: dict[str, Fraction] = defaultdict(Fraction)
    for row in chosen.productions:
        good[row.product] += row.good
    found = [Volume(month, Basis.PRODUCT, product, value) for product, value in good.items()]
    found += [Volume(month, Basis.VALUE_ADDED, "", row.wan_yuan) for row in chosen.values_added]
    if (land := _land(chosen, month)) is not None:
        found.append(Volume(month, Basis.LAND_AREA, "", land))
    return tuple(found)


def _land(chosen: ActivityBook, month: str) -> Fraction | None:
    """Mean of the areas in force, weighed by days."""
    first, last = days_of(month)
    rows = sorted(chosen.land_areas, key=lambda row: row.start)
    if not rows or rows[0].start > first:
        return None
    ends = [row.start for row in rows[1:]]
    total = Fraction(0)
    for number, row in enumerate(rows):
        until = (ends[number] - first).days if number < len(ends) else (last - first).days + 1
        total += row.area_m2 * (until - max((row.start - first).days, 0))
    return total / ((last - first).days + 1)


def parse_actuals(text: str, where: str) -> Actuals:
    """Actuals from JSON: {"schema": "shutan.actuals/1", "rows": [...], "volumes": [...]}.

    A row has month, source, co2e_g (integer grams), and may have area and carrier; a volume has month, basis, value
    (exact text or an integer) and, for products, name. Raises ControlError with every mistake.
    """
    root = read_json(text, where, SCHEMA)
    rows: list[Actual] = []
    for item in root.tables("rows"):
        month, grams = item.month("month"), item.integer("co2e_g")
        rows.append(Actual(month, item.text("source"), item.text("area", ""), item.text("carrier", ""), grams))
        item.finish()
    volumes = tuple(_volume(item) for item in root.tables("volumes", needed=False))
    root.finish()
    root.told()
    return Actuals(tuple(rows), volumes)


def _volume(item: Table) -> Volume:
    basis = item.choice("basis", tuple(basis.value for basis in Basis if basis is not Basis.TOTAL))
    volume = Volume(item.month("month"), Basis(basis), item.text("name", ""), item.number("value", low=Fraction(0)))
    item.finish()
    return volume
