"""Activity rows as JSON documents "activities/<kind>" and back, exactly (schema shutan.activities/1).

A row is an object of all its fields: amounts as exact text, instants, registers and years as integers, days as ISO
text, words as text, an empty cell as null. The fields and their types are those of the row type, so that a new kind
needs nothing here.
"""

from __future__ import annotations

from dataclasses import fields
from datetime import date
from enum import StrEnum
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

from shutan_collector.activity.kinds import KINDS, ActivityBook
from shutan_collector.activity.rows import Direction, HeatForm, MissingMethod, RefrigerantMethod, Row
from shutan_collector.errors import CollectorError
from shutan_collector.exact import exact_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from zoneinfo import ZoneInfo

__all__ = ["PREFIX", "SCHEMA", "ActivityBody", "Scalar", "bodies", "book_of", "row_from", "row_object"]

SCHEMA: Final = "shutan.activities/1"
PREFIX: Final = "activities/"
Scalar: TypeAlias = str | int | bool | None
ActivityBody: TypeAlias = dict[str, str | list[dict[str, Scalar]]]

# Types as they are written at the fields of the row types.
_READ: Final[dict[str, tuple[type, Callable[[Any], object]]]] = {
    "str": (str, str),
    "int": (int, int),
    "bool": (bool, bool),
    "date": (str, date.fromisoformat),
    "Fraction": (str, Fraction),
    "Direction": (str, Direction),
    "HeatForm": (str, HeatForm),
    "MissingMethod": (str, MissingMethod),
    "RefrigerantMethod": (str, RefrigerantMethod),
}


def row_object(row: Row) -> dict[str, Scalar]:
    """All fields of a row, in the order of its type."""
    return {field.name: _scalar(getattr(row, field.name)) for field in fields(row)}


def row_from(kind: str, value: Mapping[str, object]) -> Row:
    """The row of an object that `row_object` wrote. Raises CollectorError naming the field that is not right."""
    where = f"{PREFIX}{kind}/{value.get('key')}"
    if (row_type := KINDS.get(kind)) is None:
        raise CollectorError(where, f"{kind!r} is not a kind of activity; accepted: {', '.join(KINDS)}")
    known = {field.name: str(field.type) for field in fields(row_type)}
    if set(value) != set(known):
        wrong = ", ".join(sorted(set(value) ^ set(known)))
        raise CollectorError(where, f"the fields must be {', '.join(known)} (different: {wrong})")
    found = {name: _value(value[name], written, f"{where} {name}") for name, written in known.items()}
    return row_type(**cast("dict[str, Any]", found))


def bodies(book: ActivityBook) -> dict[str, ActivityBody]:
    """The documents of a book by name, one per kind that has rows, in the order of kinds."""
    found: dict[str, ActivityBody] = {}
    for kind in KINDS:
        if rows := book.of_kind(kind):
            found[f"{PREFIX}{kind}"] = {"schema": SCHEMA, "kind": kind, "rows": [row_object(row) for row in rows]}
    return found


def book_of(documents: Mapping[str, Mapping[str, object]], zone: ZoneInfo) -> ActivityBook:
    """The book of documents by name; the inverse of `bodies`. Raises CollectorError for another shape."""
    rows: list[Row] = []
    for name, body in documents.items():
        kind = name.removeprefix(PREFIX)
        if body.get("schema") != SCHEMA or body.get("kind") != kind:
            raise CollectorError(name, f"schema or kind is not that of {SCHEMA} {kind}")
        objects = cast("Sequence[Mapping[str, object]]", body["rows"])
        rows.extend(row_from(kind, value) for value in objects)
    return ActivityBook.of(rows, zone)


def _scalar(value: object) -> Scalar:
    if isinstance(value, Fraction):
        return exact_text(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, StrEnum):
        return value.value
    return cast("Scalar", value)


def _value(value: object, written: str, where: str) -> object:
    plain = written.removesuffix(" | None")
    if value is None and plain != written:
        return None
    accepted, read = _READ[plain]
    if type(value) is accepted:
        try:
            return read(value)
        except (ValueError, ZeroDivisionError):
            pass
    raise CollectorError(where, f"{value!r} is not a {plain}")
