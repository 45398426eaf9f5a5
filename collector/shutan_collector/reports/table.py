"""Tables between a report's model and its renderers: one description serves XLSX and PDF, so the two cannot differ."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import Final

from shutan_collector.exact import exact_text
from shutan_collector.units import decimal_text

__all__ = ["NO_DATA", "Both", "Cell", "Column", "NoData", "Row", "Table", "cell_text", "grouped"]


@dataclass(frozen=True, slots=True)
class Both:
    """A text in Chinese and English; either may be empty."""

    zh: str
    en: str

    def __str__(self) -> str:
        return " ".join(part for part in (self.zh, self.en) if part)


@dataclass(frozen=True, slots=True)
class NoData:
    """A figure that cannot be computed, and what is missing for it; it is never replaced by a guess."""

    missing: Both

    def __str__(self) -> str:
        return str(NO_DATA)


NO_DATA: Final = Both("无数据", "no data")
Cell = str | int | Fraction | date | Both | NoData | None


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    places   decimals shown for numbers (rounded half to even, for display only); None for text
    width    in characters of Latin text
    """

    title: Both
    unit: str = ""
    places: int | None = None
    width: int = 14

    @property
    def numeric(self) -> bool:
        """Whether it holds numbers."""
        return self.places is not None


@dataclass(frozen=True, slots=True)
class Row:
    """Cells of one row; `level` indents the first cell, `total` sets the row apart, `mark` stands after its name."""

    cells: tuple[Cell, ...]
    level: int = 0
    total: bool = False
    mark: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A table with its key (sheet name and name in the template), titles and notes below it."""

    key: str
    title: Both
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    notes: tuple[Both, ...] = ()

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row.cells) != len(self.columns):
                message = f"table {self.key}: a row has {len(row.cells)} cells for {len(self.columns)} columns"
                raise ValueError(message)

    def to_data(self) -> dict[str, object]:
        """Plain JSON values for a template: every cell is text already."""
        return {
            "zh": self.title.zh,
            "en": self.title.en,
            "columns": [
                {"zh": c.title.zh, "en": c.title.en, "unit": c.unit, "numeric": c.numeric, "width": c.width}
                for c in self.columns
            ],
            "rows": [
                {
                    "cells": [_cell_data(cell, column) for cell, column in zip(row.cells, self.columns, strict=True)],
                    "level": row.level,
                    "total": row.total,
                    "mark": row.mark,
                }
                for row in self.rows
            ],
            "notes": [{"zh": note.zh, "en": note.en} for note in self.notes],
        }


def grouped(value: Fraction | int, places: int) -> str:
    """Decimal text with a comma between thousands."""
    text = decimal_text(Fraction(value), places)
    whole, dot, rest = text.partition(".")
    sign, digits = ("-", whole[1:]) if whole.startswith("-") else ("", whole)
    return f"{sign}{int(digits):,}{dot}{rest}"


def cell_text(cell: Cell, column: Column) -> str:
    """What a reader sees in a cell."""
    if cell is None:
        return "—"
    if isinstance(cell, bool):
        message = "a truth value is no cell; write a word"
        raise TypeError(message)
    if isinstance(cell, int | Fraction):
        return exact_text(cell) if column.places is None else grouped(cell, column.places)
    return cell.isoformat() if isinstance(cell, date) else str(cell)


def _cell_data(cell: Cell, column: Column) -> dict[str, object]:
    if isinstance(cell, Both):
        return {"text": cell.zh or cell.en, "under": cell.en if cell.zh else "", "none": False}
    return {"text": cell_text(cell, column), "under": "", "none": isinstance(cell, NoData)}
