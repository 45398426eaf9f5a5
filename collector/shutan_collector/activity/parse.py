"""One sheet by its template: headings, cells, rows; every mistake is found, none stops the reading."""

from __future__ import annotations

import difflib
import re
import unicodedata
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final, cast

from shutan_collector.activity.cells import Cell, CellError, shown
from shutan_collector.activity.columns import Column, Context, Template, Values, read_cell
from shutan_collector.activity.sheets import Sheet, column_letter
from shutan_collector.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from shutan_collector.activity.rows import Row

__all__ = ["Findings", "parse_sheet"]

_UNIT: Final = re.compile(r"(.*?)\s*[\[(【]([^\[\]()【】]*)[\])】]")
_ONE: Final = Fraction(1)


@dataclass(frozen=True, slots=True)
class _Heading:
    """A column where it stands in the sheet; unit and factor are those of the heading."""

    column: Column
    at: int
    unit: str
    factor: Fraction

    @property
    def name(self) -> str:
        """Name of the column with its letter, as messages give it."""
        return f"{self.column.name} ({column_letter(self.at)})"


@dataclass(frozen=True, slots=True)
class Findings:
    """What reading several files gathers.

    problems   every mistake so far
    keys       place of each (kind, key), also of rows that have a mistake; letter case and width do not count
    """

    problems: list[Problem] = field(default_factory=list[Problem])
    keys: dict[tuple[str, str], str] = field(default_factory=dict[tuple[str, str], str])


def parse_sheet(template: Template, sheet: Sheet, file: str, context: Context, findings: Findings) -> list[Row]:
    """The rows of a sheet; mistakes are added to the findings, and a row with one is left out.

    file   name of the file in places: "file.xlsx:Sheet1:7", or "file.csv:7"
    """
    problems = findings.problems
    where = f"{file}:{sheet.name}" if sheet.name else file
    if not sheet.rows:
        problems.append(Problem(where, f"is empty; its first row must be the headings of {template.kind}"))
        return []
    number, cells = sheet.rows[0]
    headings = _headings(template, cells, f"{where}:{number}", problems)
    if headings is None:
        return []
    names = {heading.column.name: heading.name for heading in headings.values()}
    reader = _Reader(template, headings, context, findings, names)
    rows = (reader.row(cells, f"{where}:{number}") for number, cells in sheet.rows[1:])
    return [row for row in rows if row is not None]


def _headings(
    template: Template, cells: Sequence[Cell], place: str, problems: list[Problem]
) -> dict[int, _Heading] | None:
    """Headings by position; None if the sheet cannot be read by them."""
    found: dict[int, _Heading] = {}
    before = len(problems)
    for at, cell in enumerate(cells):
        if cell == "":
            continue
        text = cell if isinstance(cell, str) else shown(cell)
        heading = _heading(template, text, at)
        if isinstance(heading, str):
            problems.append(Problem(f"{place} column {column_letter(at)}", heading))
        elif any(other.column is heading.column for other in found.values()):
            problems.append(Problem(f"{place} column {column_letter(at)}", f"{heading.column.name} stands twice"))
        else:
            found[at] = heading
    there = {heading.column.name for heading in found.values()}
    problems.extend(
        Problem(place, f"column {column.heading!r} is missing")
        for column in template.columns
        if column.required and column.name not in there
    )
    return found if len(problems) == before else None


def _heading(template: Template, text: str, at: int) -> _Heading | str:
    """A heading: name, Chinese name, or both, with a unit in brackets where the column has one."""
    plain = " ".join(unicodedata.normalize("NFKC", text).split())
    unit_text: str | None = None
    column = _column(template, plain)
    if column is None and (match := _UNIT.fullmatch(plain)):
        column, unit_text = _column(template, match[1]), match[2].strip()
    if column is None:
        bare = match[1] if (match := _UNIT.fullmatch(plain)) else plain
        near = difflib.get_close_matches(bare.lower(), [column.name for column in template.columns], 1)
        hint = f"did you mean {near[0]}? " if near else ""
        return f"unknown column {text!r}; {hint}accepted: {', '.join(column.name for column in template.columns)}"
    if column.units is None:
        return (
            _Heading(column, at, "", _ONE) if unit_text is None else f"{column.name} has no unit; write {column.name}"
        )
    unit = column.units.find(unit_text or "")
    if unit is None:
        says = f"unit {unit_text!r} does not fit" if unit_text else "the heading must state its unit"
        return f"{column.name}: {says}; write {column.name} [{column.units.own}], accepted: {column.units.accepted}"
    return _Heading(column, at, *unit)


def _column(template: Template, text: str) -> Column | None:
    for column in template.columns:
        if text.lower() in {column.name, column.zh.lower(), f"{column.name} {column.zh}".lower()}:
            return column
    return None


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads the rows of one sheet."""

    template: Template
    headings: dict[int, _Heading]
    context: Context
    findings: Findings
    names: dict[str, str]  # of the columns that are there, as messages give them

    @property
    def problems(self) -> list[Problem]:
        """Where mistakes go."""
        return self.findings.problems

    def row(self, cells: Sequence[Cell], place: str) -> Row | None:
        """One row, None if it has a mistake."""
        before = len(self.problems)
        values = Values({}, {})
        for at, cell in enumerate(cells):
            if cell == "":
                continue
            if heading := self.headings.get(at):
                self._cell(heading, cell, place, values)
            else:
                told = f"{shown(cell)} under an empty heading"
                self.problems.append(Problem(f"{place} column {column_letter(at)}", told))
        names = self.names
        self.problems.extend(
            Problem(f"{place} {names[column.name]}", "is empty, but needed")
            for column in self.template.columns
            if column.required and column.name not in values.raw
        )
        self._key(values.text("key"), f"{place} {names['key']}", place)
        if len(self.problems) == before:
            self.problems.extend(
                Problem(f"{place} {names.get(name, name)}", reason)
                for name, reason in self.template.finish(values, self.context)
            )
        return _built(self.template, values, place) if len(self.problems) == before else None

    def _key(self, key: str, cell: str, place: str) -> None:
        """Refuses a key that stands already, in this file or another."""
        name = self.template.kind, unicodedata.normalize("NFKC", key).casefold()
        if key and (before := self.findings.keys.setdefault(name, place)) != place:
            self.problems.append(Problem(cell, f"{key!r} stands already at {before}; keys are unique within a kind"))

    def _cell(self, heading: _Heading, cell: Cell, place: str, values: Values) -> None:
        column = heading.column
        values.raw[column.name] = cell if isinstance(cell, str) else str(cell)
        try:
            values.found[column.name] = read_cell(column, cell, heading.factor, self.context)
        except CellError as error:
            self.problems.append(Problem(f"{place} {heading.name}", f"{shown(cell)}; accepted: {error}"))
        if column.units and heading.unit != column.units.own:
            values.keep(column.name, unit=heading.unit)


def _built(template: Template, values: Values, place: str) -> Row:
    fields = dict(_fields(template, values))
    # The template's columns name the fields of the row type and give their types; a test builds every kind.
    return template.row(**cast("dict[str, Any]", fields), place=place, written=", ".join(values.written))


def _fields(template: Template, values: Values) -> Iterator[tuple[str, object]]:
    for column in template.columns:
        if column.target and column.name in values.found:
            yield column.target, values.found[column.name]
