"""What a birth says about later payloads: each metric's name, alias and datatype, and the field it becomes in a store.

A metric of the catalogue with a fitting datatype keeps its name and family. Everything else is kept under family
`unmapped` with its own name and a suffix for its type, since a store refuses one field in two types:

| datatype                    | suffix | value |
|-----------------------------|--------|-------|
| integers, DateTime          | `_i`   | int   |
| Float, Double               | `_f`   | float |
| Boolean                     | `_b`   | bool  |
| String, Text, UUID          | `_s`   | str   |
| arrays, bytes, DataSet, ... | -      | not stored; the raw payload stays in the spool |
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple, cast

from shutan_wire import catalogue, records
from shutan_wire import datatypes as dt

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from shutan_wire.model import Metric

__all__ = ["UNMAPPED", "Definition", "Field", "Role", "birth_text", "field_of", "infer_datatype", "safe_name"]

UNMAPPED = "unmapped"
_NAME_MAX = 64  # characters of a field name made from a foreign one
_INTEGERS = frozenset({dt.INT8, dt.INT16, dt.INT32, dt.INT64, dt.UINT8, dt.UINT16, dt.UINT32, dt.UINT64, dt.DATETIME})
_FLOATS = frozenset({dt.FLOAT, dt.DOUBLE})
_TEXTS = frozenset({dt.STRING, dt.TEXT, dt.UUID})
_PROTOCOL = ("Node Control/", "Device Control/", "Node Info/", "Store/")
_GAP_FIELDS = {
    records.GAP_FROM: "gap_from",
    records.GAP_TO: "gap_to",
    records.GAP_START: "gap_start_ms",
    records.GAP_END: "gap_end_ms",
    records.GAP_UNSAVED: "gap_unsaved",
}


class Role:
    """What a metric is for."""

    SAMPLE = 0
    RECORD = 1  # Store/Record: the record number
    GAP = 2  # part of a gap record, stored in family `node`
    PROTOCOL = 3  # bdSeq, controls, session facts: never stored


class Field(NamedTuple):
    """Where the values of one metric go.

    column is "" for what is not stored; low, high are the plausible range of a catalogue metric, else None;
    as_float: integers of a gauge become float.
    """

    name: str
    datatype: int
    role: int
    family: str
    column: str
    as_float: bool
    low: float | None
    high: float | None


class Definition:
    """All metrics of one birth, found by alias or name. Equal births share one object (decoder.Shapes)."""

    def __init__(self, metrics: Sequence[tuple[str, int | None, int]]) -> None:
        self.by_alias: dict[int, Field] = {}
        self.by_name: dict[str, Field] = {}
        taken: set[str] = set()
        for name, alias, datatype in metrics:
            field = field_of(name, datatype, taken)
            self.by_name[name] = field
            if alias is not None:
                self.by_alias[alias] = field

    @classmethod
    def parse(cls, text: str) -> Definition:
        """From the registry's text. Raises ValueError when it is not such a text."""
        metrics = cast("list[tuple[str, int | None, int]]", json.loads(text))
        return cls([(name, alias, datatype) for name, alias, datatype in metrics])


def birth_text(metrics: Iterable[Metric]) -> str:
    """Canonical text of an NBIRTH or DBIRTH for the registry; a metric without name or datatype declares nothing."""
    named = [(m.name, m.alias, m.datatype) for m in metrics if m.name and m.datatype]
    return json.dumps(named, ensure_ascii=False, separators=(",", ":"))


def field_of(name: str, datatype: int, taken: set[str] | None = None) -> Field:
    """Field of a metric; `taken` holds the unmapped columns of its birth, so that two names never share one."""
    if name == records.RECORD:
        return Field(name, datatype, Role.RECORD, "", "", as_float=False, low=None, high=None)
    if name in _GAP_FIELDS:
        return Field(name, datatype, Role.GAP, "node", _GAP_FIELDS[name], as_float=False, low=None, high=None)
    if name == records.BDSEQ or name.startswith(_PROTOCOL):
        return Field(name, datatype, Role.PROTOCOL, "", "", as_float=False, low=None, high=None)
    known = catalogue.by_name(name)
    if known is not None and (datatype in _INTEGERS or (known.kind == "gauge" and datatype in _FLOATS)):
        as_float = known.kind == "gauge" and datatype in _INTEGERS
        return Field(name, datatype, Role.SAMPLE, known.family, name, as_float, known.low, known.high)
    return _unmapped(name, datatype, taken)


def _unmapped(name: str, datatype: int, taken: set[str] | None) -> Field:
    suffix = _suffix(datatype)
    if not suffix:
        return Field(name, datatype, Role.SAMPLE, "", "", as_float=False, low=None, high=None)
    stem = safe_name(name)
    column = stem + suffix
    number = 2
    while taken is not None and column.casefold() in taken:  # SQLite's column names ignore case
        column = f"{stem}_{number}{suffix}"
        number += 1
    if taken is not None:
        taken.add(column.casefold())
    return Field(name, datatype, Role.SAMPLE, UNMAPPED, column, as_float=False, low=None, high=None)


def _suffix(datatype: int) -> str:
    if datatype in _INTEGERS:
        return "_i"
    if datatype in _FLOATS:
        return "_f"
    if datatype == dt.BOOLEAN:
        return "_b"
    return "_s" if datatype in _TEXTS else ""


def safe_name(name: str) -> str:
    """A foreign name with letters, digits (of any script) and `_` only, at most 64 characters: nothing to escape."""
    safe = "".join(char if char.isalnum() or char == "_" else "_" for char in name[:_NAME_MAX])
    return safe if safe and not safe[0].isdigit() else f"m_{safe}"


def infer_datatype(metric: Metric) -> int:
    """Datatype of a metric that no birth declared: its own, else from the kind of its value; 0 when unknown."""
    if metric.datatype:
        return metric.datatype
    value = metric.value
    if isinstance(value, bool):
        return dt.BOOLEAN
    if isinstance(value, int):
        return dt.UINT64
    if isinstance(value, float):
        return dt.DOUBLE
    return dt.STRING if isinstance(value, str) else 0
