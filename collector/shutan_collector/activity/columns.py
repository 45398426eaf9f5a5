"""Columns and templates: the declaration that parsing, template files and documentation all come from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from shutan_collector.activity.cells import BadCell, Cell, CellError, day_of, moment_of, month_of, number_of, text_of
from shutan_collector.periods import to_ns

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from shutan_collector.activity.quantity import Units
    from shutan_collector.activity.rows import Row
    from shutan_collector.activity.vocabulary import Vocabulary

__all__ = ["Choice", "Column", "Context", "Finding", "Finish", "Template", "Type", "Values", "read_cell"]

_KEY_LENGTH: Final = 64
_YES: Final = {"yes": True, "true": True, "1": True, "是": True, "no": False, "false": False, "0": False, "否": False}


class Type(StrEnum):
    """What a column holds."""

    KEY = "key"
    TEXT = "text"
    NUMBER = "number"
    SHARE = "share"
    DAY = "day"
    MOMENT = "date and time"
    MONTH = "month"
    PERIOD = "month or year"
    YEAR = "year"
    CHOICE = "one of"
    UNIT = "unit"
    FLAG = "yes or no"
    FUEL = "fuel"
    GAS = "gas"
    MATERIAL = "material"
    METER = "meter"


@dataclass(frozen=True, slots=True)
class Choice:
    """One accepted value of a column, with other words for it (Chinese first)."""

    value: str
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a template.

    name, zh   headings; either one is accepted, or both as the template writes them
    units      units the heading may state: "energy 电量 [kWh]"; then the heading has to state one
    field      field of the row; "" for a column that only serves a conversion, default: the name
    low, high  bounds of a number in the row's own unit, both included
    """

    name: str
    zh: str
    type: Type
    example: str = ""
    required: bool = True
    units: Units | None = None
    choices: tuple[Choice, ...] = ()
    field: str | None = None
    low: Fraction | None = Fraction(0)
    high: Fraction | None = None
    note: str = ""

    @property
    def target(self) -> str:
        """Field of the row, "" for none."""
        return self.name if self.field is None else self.field

    @property
    def heading(self) -> str:
        """The heading as templates write it."""
        unit = f" [{self.units.own}]" if self.units else ""
        return f"{self.name} {self.zh}{unit}"


@dataclass(frozen=True, slots=True)
class Context:
    """What reading a cell needs to know besides the cell."""

    zone: ZoneInfo
    vocabulary: Vocabulary


class Values:
    """The values of one row by column, typed as their columns say; `finish` functions read and replace them."""

    def __init__(self, found: dict[str, object], raw: dict[str, str]) -> None:
        self.found = found
        self.raw = raw  # as written, for `written`
        self.written: list[str] = []

    def number(self, name: str) -> Fraction | None:
        """Number of a column, None if it is empty."""
        value = self.found.get(name)
        return value if isinstance(value, Fraction) else None

    def text(self, name: str) -> str:
        """Text of a column, "" if it is empty."""
        value = self.found.get(name)
        return value if isinstance(value, str) else ""

    def keep(self, *names: str, unit: str = "") -> None:
        """Note amounts as they were written, because the row will hold something else."""
        kept = (f"{name} {self.raw[name]}" for name in names if self.raw.get(name))
        self.written.extend(f"{text} {unit}".rstrip() for text in kept)

    def day(self, name: str) -> date | None:
        """Day of a column, None if it is empty."""
        value = self.found.get(name)
        return value if isinstance(value, date) else None

    def instant(self, name: str) -> int:
        """UTC nanoseconds of a required column."""
        value = self.found.get(name)
        return value if isinstance(value, int) else 0


Finding = tuple[str, str]  # column, what is wrong and what would be right
Finish = Callable[[Values, Context], Iterator[Finding]]


def _nothing(_values: Values, _context: Context) -> Iterator[Finding]:
    yield from ()


@dataclass(frozen=True, slots=True)
class Template:
    """One kind of document.

    finish   relations among the cells of a row, and conversions that need more than one cell
    unique   columns that together name a thing which may stand only once, besides the key
    """

    row: type[Row]
    en: str
    zh: str
    about: str
    columns: tuple[Column, ...]
    finish: Finish = _nothing
    unique: tuple[str, ...] = field(default=())

    @property
    def kind(self) -> str:
        """Name of the kind: "fuel_movement"."""
        return self.row.KIND

    def column(self, name: str) -> Column:
        """The column of that name."""
        return next(column for column in self.columns if column.name == name)


def read_cell(column: Column, cell: Cell, factor: Fraction, context: Context) -> object:
    """Value of a cell that is not empty. Raises CellError with what would be accepted.

    factor   of the heading's unit to the row's own
    """
    if isinstance(cell, BadCell):
        raise CellError(_expectation(column))
    if column.type in {Type.NUMBER, Type.SHARE}:
        return _bounded(column, _number(column, cell) * factor)
    if plain := _PLAIN.get(column.type):
        return plain(cell)
    return _KNOWING[column.type](column, cell, context)


def _expectation(column: Column) -> str:
    unit = f" in {column.units.own}" if column.units else ""
    return f"{column.type.value}{unit}"


def _key(cell: Cell) -> str:
    text = text_of(cell)
    if len(text) > _KEY_LENGTH or "|" in text:
        raise CellError(f"at most {_KEY_LENGTH} characters without |")
    if text.upper().startswith("EXAMPLE"):
        raise CellError("a key of your own: this is the template's example, delete its row")
    return text


def _number(column: Column, cell: Cell) -> Fraction:
    """A number; "98 %" as text is 98 where the column is in percent and 0.98 where it is a share."""
    percent = column.units is not None and column.units.own == "%"
    if isinstance(cell, str) and cell.endswith(("%", "％")) and (percent or column.type is Type.SHARE):
        return number_of(cell[:-1].rstrip()) / (1 if percent else 100)
    return number_of(cell)


def _bounded(column: Column, value: Fraction) -> Fraction:
    low, high = column.low, Fraction(1) if column.type is Type.SHARE else column.high
    if (low is None or low <= value) and (high is None or value <= high):
        return value
    unit = f" {column.units.own}" if column.units else ""
    if high is None:
        raise CellError(f"{low}{unit} or more")
    raise CellError(f"{'' if low is None else low} to {high}{unit}")


def _instant(_column: Column, cell: Cell, context: Context) -> int:
    moment = moment_of(cell)
    return to_ns(moment if moment.tzinfo else moment.replace(tzinfo=context.zone))


def _flag(cell: Cell) -> bool:
    text = str(cell).lower() if isinstance(cell, str | bool) else text_of(cell)
    if text not in _YES:
        raise CellError("yes or no (是, 否)")
    return _YES[text]


def _year(cell: Cell) -> int:
    text = month_of(cell, year_too=True)
    if len(text) != len("2025"):
        raise CellError("a year such as 2025")
    return int(text)


def _choice(column: Column, cell: Cell, _context: Context) -> str:
    text = text_of(cell)
    for choice in column.choices:
        if text.lower() == choice.value.lower() or text in choice.aliases:
            return choice.value
    raise CellError(", ".join(" ".join((choice.value, *choice.aliases)) for choice in column.choices))


def _word(column: Column, cell: Cell, context: Context) -> str:
    vocabulary = context.vocabulary
    words = {Type.FUEL: vocabulary.fuels, Type.GAS: vocabulary.gases}.get(column.type, vocabulary.materials)
    if (found := words.find(text_of(cell))) is None:
        raise CellError(f"a {column.type} of the factor table: {', '.join(words.ids)}")
    return found


def _meter(_column: Column, cell: Cell, context: Context) -> str:
    text, meters = text_of(cell), context.vocabulary.meters
    if meters is not None and text not in meters:
        raise CellError(f"a meter of the site model: {', '.join(meters)}")
    return text


_PLAIN: Final[dict[Type, Callable[[Cell], object]]] = {
    Type.KEY: _key,
    Type.TEXT: text_of,
    Type.DAY: day_of,
    Type.MONTH: month_of,
    Type.PERIOD: lambda cell: month_of(cell, year_too=True),
    Type.YEAR: _year,
    Type.FLAG: _flag,
}
_KNOWING: Final[dict[Type, Callable[[Column, Cell, Context], object]]] = {
    Type.MOMENT: _instant,
    Type.CHOICE: _choice,
    Type.UNIT: _choice,
    Type.FUEL: _word,
    Type.GAS: _word,
    Type.MATERIAL: _word,
    Type.METER: _meter,
}
