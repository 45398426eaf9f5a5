"""The factor file: CSV text to rows, every malformed cell refused with its line."""

from __future__ import annotations

import csv
import re
from datetime import date
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from shutan_collector.errors import FactorError
from shutan_collector.factors.rows import Factor

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["COLUMNS", "factor_of_row", "parse_rows"]

COLUMNS: Final = (
    "id", "category", "fuel_or_energy", "name_zh", "name_en", "parameter", "value", "unit",
    "valid_from", "valid_to", "known_from", "region", "source", "confidence",
)  # fmt: skip
_DAYS = ("valid_from", "valid_to", "known_from")  # may be empty: open, open, known always
_CONFIDENCE = ("high", "medium", "low")
# Newer tables head the column "10^-2 tC/GJ" and print tC/TJ: a slip of a power of ten falls outside this range.
_CARBON_PER_GJ = (Fraction("0.012"), Fraction("0.071"))


def parse_rows(text: str, where: str) -> Iterator[Factor]:
    """Rows of a factor file in order; raises FactorError with line and column of the first malformed row."""
    reader = csv.DictReader(text.splitlines(), strict=True)
    if tuple(reader.fieldnames or ()) != COLUMNS:
        raise FactorError(where, f"the columns must be {','.join(COLUMNS)}")
    for line, row in enumerate(reader, start=2):
        yield _factor(row, f"{where}:{line}")


def factor_of_row(row: Mapping[str, str | None], where: str = "factor row") -> Factor:
    """The row of a "factors" document (see Factor.cells), under the same rules as a line of the file.

    Raises FactorError.
    """
    cells = {**row, "fuel_or_energy": row.get("fuel_or_energy") or row.get("subject")}
    cells.pop("subject", None)
    if unknown := sorted(set(cells) - set(COLUMNS)):
        raise FactorError(where, f"unknown columns: {', '.join(unknown)}")
    return _factor(cells, where)


def _factor(row: Mapping[str, str | None], where: str) -> Factor:
    cells = {name: row.get(name) or "" for name in COLUMNS}
    if missing := [name for name in COLUMNS if not cells[name] and name not in _DAYS]:
        raise FactorError(where, f"empty: {', '.join(missing)}")
    if None in row:
        raise FactorError(where, f"more cells than the {len(COLUMNS)} columns")
    if cells["confidence"] not in _CONFIDENCE:
        raise FactorError(where, f"confidence is {cells['confidence']!r}, accepted: {', '.join(_CONFIDENCE)}")
    if not re.fullmatch(r"[0-9]+(\.[0-9]+)?", cells["value"]):
        raise FactorError(where, f"value {cells['value']!r} is not a plain decimal")
    value = Fraction(cells["value"])
    if cells["parameter"] == "carbon_content" and not _CARBON_PER_GJ[0] <= value / 1000 <= _CARBON_PER_GJ[1]:
        raise FactorError(where, f"carbon content {cells['value']} {cells['unit']} is not within 12 to 71 tC/TJ")
    valid_from, valid_to, known_from = (_day(cells[name], name, where) for name in _DAYS)
    if valid_from and valid_to and valid_to < valid_from:
        raise FactorError(where, f"valid_to {valid_to} is before valid_from {valid_from}")
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
        known_from=known_from,
        region=cells["region"],
        source=cells["source"],
        confidence=cells["confidence"],
    )


def _day(text: str, column: str, where: str) -> date | None:
    if not text:
        return None
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        raise FactorError(where, f"{column}: {text!r} is not a date; give 2024-04-12")
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise FactorError(where, f"{column}: {text!r} is not a day of the calendar") from None
