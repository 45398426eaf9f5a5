"""Required equipping rates (配备率要求) of GB 17167 as data: required_rates.csv beside this module."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

from shutan_collector.reports.table import Both
from shutan_collector.site.model import Carrier

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["RequiredRate", "parse_rates", "required_rates"]


@dataclass(frozen=True, slots=True)
class RequiredRate:
    """One row of the table.

    percent          required rate at levels 1 organisation, 2 main sub-unit, 3 main equipment, in percent
    equipment_from   size from which equipment is "main" (主要用能设备), as printed
    in_force_to      last day of the edition; None = in force
    """

    group: str
    name: Both
    carriers: tuple[Carrier, ...]
    percent: tuple[Fraction, Fraction, Fraction]
    equipment_from: str
    edition: str
    in_force_from: date
    in_force_to: date | None
    source: str
    confidence: str

    def in_force(self, day: date) -> bool:
        """Whether the edition is in force on a day."""
        return self.in_force_from <= day and (self.in_force_to is None or day <= self.in_force_to)


def parse_rates(lines: Iterable[str]) -> tuple[RequiredRate, ...]:
    """Rows of the CSV; ValueError or KeyError if it is malformed, which a test of the packaged file excludes."""
    return tuple(
        RequiredRate(
            group=row["group"],
            name=Both(row["name_zh"], row["name_en"]),
            carriers=tuple(Carrier(name) for name in row["carriers"].split(";")),
            percent=(Fraction(row["level_1"]), Fraction(row["level_2"]), Fraction(row["level_3"])),
            equipment_from=row["equipment_from"],
            edition=row["edition"],
            in_force_from=date.fromisoformat(row["in_force_from"]),
            in_force_to=date.fromisoformat(row["in_force_to"]) if row["in_force_to"] else None,
            source=row["source"],
            confidence=row["confidence"],
        )
        for row in csv.DictReader(lines)
    )


@cache
def required_rates() -> tuple[RequiredRate, ...]:
    """The packaged rows."""
    path = resources.files("shutan_collector.reports.metering") / "required_rates.csv"
    return parse_rates(path.read_text(encoding="utf-8").splitlines())
