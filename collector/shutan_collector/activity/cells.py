"""What a cell of a CSV or XLSX file holds, and reading it as a number, a date, a word ... without any rounding.

A cell comes in as text (CSV, or a text cell), as an exact decimal, a date and time, a truth value, or as something
that cannot be used. Every reader returns the value or raises CellError with what would be accepted.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Final

__all__ = [
    "BadCell",
    "Cell",
    "CellError",
    "day_of",
    "decimal_shown",
    "moment_of",
    "month_of",
    "number_of",
    "shown",
    "text_of",
]

_DIGITS: Final = 15  # significant digits that a spreadsheet keeps of a number
_NUMBER: Final = re.compile(r"[+-]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:[eE][+-]?\d{1,2})?", re.ASCII)
_SHORTENED: Final = re.compile(r"\d(?:\.\d+)?E\+\d+", re.IGNORECASE | re.ASCII)
_DAY: Final = re.compile(
    r"(\d{4})(?:-(\d{1,2})-(\d{1,2})|/(\d{1,2})/(\d{1,2})|\.(\d{1,2})\.(\d{1,2})|年(\d{1,2})月(\d{1,2})日)",
    re.ASCII,
)
_MONTH: Final = re.compile(r"(\d{4})(?:-(\d{1,2})|/(\d{1,2})|年(\d{1,2})月)", re.ASCII)
_CLOCK: Final = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?(Z|[+-]\d{2}:\d{2})?", re.ASCII)
_YEARS: Final = range(1990, 2101)  # a slip in the year must not put a document where nobody looks
_LONGEST: Final = 64  # characters of a number; a longer one is a slip or an attack


class CellError(ValueError):
    """A cell does not hold what its column needs; the text says what would be accepted."""


@dataclass(frozen=True, slots=True)
class BadCell:
    """A cell that no column can use: an error value, a formula without a result ..."""

    reason: str


Cell = str | Decimal | datetime | bool | BadCell


def decimal_shown(value: float) -> Decimal | BadCell:
    """The decimal a spreadsheet shows for a binary number: the shortest that gives the same number.

    More than 15 significant digits are refused: such a cell holds what a calculation left over, not what was written.
    """
    exact = Decimal(repr(value))
    if not exact.is_finite():
        return BadCell("is not a number")
    if len(exact.normalize().as_tuple().digits) > _DIGITS:
        return BadCell(
            f"{value!r} has more than {_DIGITS} significant digits; round it in the sheet or write it as text"
        )
    return exact


def shown(cell: Cell) -> str:
    """A cell as a message quotes it."""
    if isinstance(cell, BadCell):
        return cell.reason
    text = cell.isoformat(" ") if isinstance(cell, datetime) else str(cell)
    return f"found {text[:40] + '…' if len(text) > 40 else text!r}"


def text_of(cell: Cell) -> str:
    """Text, without blanks around it. A number is its digits, but not one that a spreadsheet has shortened."""
    if isinstance(cell, Decimal):
        if len(cell.as_tuple().digits) > _DIGITS or not _is_whole(cell):
            raise CellError("text; format the cell as text and write it again, a number loses digits")
        return str(int(cell))
    if not isinstance(cell, str):
        raise CellError("text")
    if _SHORTENED.fullmatch(cell):
        raise CellError(
            "text; a spreadsheet has shortened a long number here: format the cell as text and write it again"
        )
    if any(unicodedata.category(char) in {"Cc", "Cs", "Cn"} for char in cell):
        raise CellError("one line of text without control characters")
    return cell


def number_of(cell: Cell) -> Fraction:
    """An exact number: 1234.5, 1,234.5, 1.2345e3; full-width digits too."""
    if isinstance(cell, Decimal):
        return Fraction(cell)
    if not isinstance(cell, str):
        raise CellError("a number")
    text = unicodedata.normalize("NFKC", cell)
    if len(text) > _LONGEST or not text.isascii() or not _NUMBER.fullmatch(text):
        raise CellError("a number such as 1234.5, without its unit")
    return Fraction(text.replace(",", ""))


def day_of(cell: Cell) -> date:
    """A day: a date cell, or 2025-06-01, 2025/6/1, 2025.6.1, 2025年6月1日."""
    if isinstance(cell, datetime):
        if (cell.hour, cell.minute, cell.second, cell.microsecond) != (0, 0, 0, 0):
            raise CellError("a day without a time")
        return _within(cell.date())
    if isinstance(cell, str) and (found := _DAY.fullmatch(unicodedata.normalize("NFKC", cell))):
        return _day(found)
    raise CellError("a day such as 2025-06-01")


def moment_of(cell: Cell) -> datetime:
    """A moment to the second: a date and time cell, or 2025-06-01 08:00, also with seconds, a T or an offset.

    Naive (local time of the site) unless an offset is written.
    """
    if isinstance(cell, datetime):  # a spreadsheet keeps days as binary fractions: what is below a second is noise
        at = (cell + timedelta(microseconds=500_000)).replace(microsecond=0)
        _within(at.date())
        return at
    accepted = "a local date and time such as 2025-06-01 08:00"
    if not isinstance(cell, str):
        raise CellError(accepted)
    text = unicodedata.normalize("NFKC", cell).replace("T", " ")
    day_text, _, clock_text = text.partition(" ")
    day, clock = _DAY.fullmatch(day_text), _CLOCK.fullmatch(clock_text.strip() or "0:00")
    if day is None or clock is None:
        raise CellError(accepted)
    hour, minute, second = (int(part or 0) for part in clock.groups()[:3])
    try:
        at = datetime.fromisoformat(f"{_day(day)}T{hour:02}:{minute:02}:{second:02}{clock[4] or ''}")
    except ValueError:
        raise CellError(accepted) from None
    return at


def month_of(cell: Cell, *, year_too: bool = False) -> str:
    """A month "2025-06" from 2025-06, 2025/6, 2025年6月 or a date cell of its first day; a year too if asked for."""
    accepted = "a month such as 2025-06" + (" or a year such as 2025" if year_too else "")
    if isinstance(cell, datetime):  # a spreadsheet makes the first of the month out of "2025-06"
        if cell != datetime(cell.year, cell.month, 1):  # noqa: DTZ001 - cells have no zone
            raise CellError(accepted)
        _within(cell.date())
        return f"{cell.year:04}-{cell.month:02}"
    text = unicodedata.normalize(
        "NFKC", str(cell) if isinstance(cell, Decimal) else cell if isinstance(cell, str) else ""
    )
    if year_too and (found := re.fullmatch(r"([12]\d{3})年?", text, re.ASCII)):
        return found[1]
    if found := _MONTH.fullmatch(text):
        month = int(next(part for part in found.groups()[1:] if part))
        if 1 <= month <= 12 and int(found[1]) in _YEARS:
            return f"{found[1]}-{month:02}"
    raise CellError(accepted)


def _day(found: re.Match[str]) -> date:
    year, month, day = (int(part) for part in found.groups() if part is not None)
    try:
        found_day = date(year, month, day)
    except ValueError:
        raise CellError("a day of the calendar such as 2025-06-01") from None
    return _within(found_day)


def _within(day: date) -> date:
    if day.year not in _YEARS:
        raise CellError(f"a day of the years {_YEARS.start} to {_YEARS.stop - 1}")
    return day


def _is_whole(value: Decimal) -> bool:
    return value == value.to_integral_value()
