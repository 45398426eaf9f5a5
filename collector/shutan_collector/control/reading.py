"""Reading TOML and JSON tables field by field; every mistake is kept with its key and told at the end."""

from __future__ import annotations

import json
import re
import tomllib
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Final, NoReturn, cast

from shutan_collector.activity.cells import CellError, month_of
from shutan_collector.errors import ControlError, Problem

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["Table", "read_json", "read_text", "read_toml"]

_NOTHING: Final = Fraction(0)
_LONGEST: Final = 64  # digits; a number beyond that is a slip or an attack
_EXACT: Final = re.compile(r"-?\d+(?:\.\d+|/0*[1-9]\d*)?", re.ASCII)


class Table:
    """One table of a file. A field that is missing or wrong is noted and a value of its type returned."""

    def __init__(self, where: str, key: str, values: dict[str, object], problems: list[Problem]) -> None:
        self.where = where
        self.key = key
        self._values = values
        self._asked: set[str] = set()
        self._problems = problems

    def has(self, name: str) -> bool:
        """Whether the field is there; asking makes it a known one."""
        self._asked.add(name)
        return name in self._values

    def wrong(self, name: str, reason: str) -> None:
        """Note a mistake of a field, or ("") of the table."""
        self._problems.append(Problem(".".join(part for part in (self.key, name) if part) or "file", reason))

    def text(self, name: str, default: str | None = None) -> str:
        """Text that is not empty; without a default it is needed."""
        value = self._take(name, needed=default is None)
        if value is None:
            return default or ""
        if not isinstance(value, str) or (not value and default is None):
            self.wrong(name, f"found {value!r}; accepted: text")
            return ""
        return value

    def integer(self, name: str, default: int | None = None) -> int:
        """An integer."""
        value = self._take(name, needed=default is None)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        if value is not None:
            self.wrong(name, f"found {value!r}; accepted: an integer")
        return default or 0

    def number(self, name: str, low: Fraction | None = None, high: Fraction | None = None) -> Fraction:
        """An exact number: an integer, a TOML decimal, or exact text such as "1.25" or "1/3"."""
        value = self._take(name, needed=True)
        found = _NOTHING if value is None else self.exact(name, value)
        if value is not None and ((low is not None and found < low) or (high is not None and found > high)):
            bounds = f"{'' if low is None else f'{low} '}{'or more' if high is None else f'to {high}'}"
            self.wrong(name, f"found {value}; accepted: {bounds}")
        return found

    def optional(self, name: str, low: Fraction | None = None, high: Fraction | None = None) -> Fraction | None:
        """The same, None if it is not there."""
        return self.number(name, low, high) if self.has(name) else None

    def numbers(self, name: str) -> tuple[Fraction, ...]:
        """A list of exact numbers."""
        return tuple(self.exact(name, value) for value in self._items(name))

    def month(self, name: str) -> str:
        """A month "2025-06"."""
        value = self._take(name, needed=True)
        try:
            return month_of(value) if isinstance(value, str) else self._no_month(name, value)
        except CellError as error:
            self.wrong(name, f"found {value!r}; accepted: {error}")
            return ""

    def day(self, name: str) -> date | None:
        """A day, None if it is not there."""
        value = self._take(name, needed=False)
        if value is None or type(value) is date:
            return value
        try:
            return date.fromisoformat(str(value))
        except ValueError:
            self.wrong(name, f"found {value!r}; accepted: a day such as 2025-06-01")
            return None

    def choice(self, name: str, accepted: Sequence[str]) -> str:
        """One of these words; the first of them if it is wrong."""
        value = self._take(name, needed=True)
        if isinstance(value, str) and value in accepted:
            return value
        if value is not None:
            self.wrong(name, f"found {value!r}; accepted: {', '.join(accepted)}")
        return accepted[0]

    def table(self, name: str) -> Table:
        """A table in this one; an empty one if it is missing."""
        value = self._take(name, needed=True)
        if value is not None and not isinstance(value, dict):
            self.wrong(name, "must be a table")
        values = cast("dict[str, object]", value) if isinstance(value, dict) else {}
        return Table(self.where, name, values, self._problems)

    def tables(self, name: str, *, needed: bool = True) -> list[Table]:
        """A list of tables."""
        if not needed and not self.has(name):
            return []
        found: list[Table] = []
        for number, value in enumerate(self._items(name), start=1):
            if isinstance(value, dict):
                key = f"{name}[{number}]"
                found.append(Table(self.where, key, cast("dict[str, object]", value), self._problems))
            else:
                self.wrong(name, f"item {number} must be a table")
        return found

    def finish(self) -> None:
        """Note fields that nobody asked for."""
        for name in self._values:
            if name not in self._asked:
                self.wrong(name, f"unknown key; accepted: {', '.join(sorted(self._asked))}")

    def told(self) -> None:
        """Raise ControlError if anything was wrong anywhere in the file."""
        if self._problems:
            raise ControlError(self.where, tuple(self._problems))

    def exact(self, name: str, value: object) -> Fraction:
        """An exact number from a value of a file."""
        if isinstance(value, int) and not isinstance(value, bool):
            return Fraction(value)
        if isinstance(value, str) and len(value) <= _LONGEST and _EXACT.fullmatch(value):
            return Fraction(value)
        if isinstance(value, Decimal) and value.is_finite() and abs(value.adjusted()) <= _LONGEST:
            return Fraction(value)
        self.wrong(name, f"found {value!r}; accepted: a number")
        return _NOTHING

    def _items(self, name: str) -> list[object]:
        value = self._take(name, needed=True)
        if value is not None and not isinstance(value, list):
            self.wrong(name, "must be a list")
        return cast("list[object]", value) if isinstance(value, list) else []

    def _take(self, name: str, *, needed: bool) -> object:
        self._asked.add(name)
        if needed and name not in self._values:
            self.wrong(name, "is needed")
        return self._values.get(name)

    def _no_month(self, name: str, value: object) -> str:
        if value is not None:
            self.wrong(name, f"found {value!r}; accepted: a month such as 2025-06")
        return ""


def read_toml(text: str, where: str) -> Table:
    """The top table of a TOML text, decimals exact. Raises ControlError."""
    try:
        return Table(where, "", tomllib.loads(text, parse_float=Decimal), [])
    except tomllib.TOMLDecodeError as error:
        raise ControlError(where, (Problem("TOML", str(error)),)) from error


def read_json(text: str, where: str, schema: str) -> Table:
    """The top object of a JSON text with that schema; a number with a point is refused. Raises ControlError."""

    def refuse(number: str) -> NoReturn:
        raise ControlError(where, (Problem("JSON", f"{number}: write numbers that are not integers as text"),))

    try:
        value = json.loads(text, parse_float=refuse, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise ControlError(where, (Problem("JSON", str(error)),)) from error
    values = cast("dict[str, object]", value) if isinstance(value, dict) else {}
    if values.get("schema") != schema:
        raise ControlError(where, (Problem("schema", f"found {values.get('schema')!r}; accepted: {schema}"),))
    table = Table(where, "", values, [])
    table.text("schema")
    return table


def read_text(path: Path) -> str:
    """A file's text. Raises ControlError."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ControlError(str(path), (Problem("file", f"cannot be read: {error.strerror}"),)) from error
    except UnicodeDecodeError as error:
        raise ControlError(str(path), (Problem("file", "is not text in UTF-8"),)) from error
