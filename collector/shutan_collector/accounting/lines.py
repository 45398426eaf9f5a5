"""Ledger lines as documents ("lines/<source>") and back; nothing is lost on the way."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Final, cast

from shutan_collector.carbon.lines import Category, FactorUse, Input, Line, Scope, Unvalued
from shutan_collector.exact import exact_text, from_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from shutan_collector.accounting.documents import Json, JsonObject

__all__ = ["SCHEMA", "document_name", "lines_by_document", "lines_document", "lines_of", "unvalued_of"]

SCHEMA: Final = "shutan.lines/1"
_MARKET: Final = "market:"


def document_name(source: str) -> str:
    """Name of the document that holds the lines of a source; all market-based instruments share one."""
    return "lines/market" if source.startswith(_MARKET) else f"lines/{source}"


def lines_document(lines: Sequence[Line], unvalued: Sequence[Unvalued]) -> JsonObject:
    """The document of one source's lines."""
    return {
        "schema": SCHEMA,
        "lines": [_line(line) for line in lines],
        "unvalued": [
            {
                "source": item.source,
                "start_ns": item.start_ns,
                "end_ns": item.end_ns,
                "value": exact_text(item.value),
                "unit": item.unit,
                "reason": item.reason,
            }
            for item in unvalued
        ],
    }


def lines_by_document(
    lines: Iterable[Line], unvalued: Iterable[Unvalued]
) -> dict[str, tuple[list[Line], list[Unvalued]]]:
    """Lines and unvalued activities by the document that holds them."""
    found: dict[str, tuple[list[Line], list[Unvalued]]] = {}
    for name, part in groupby(lines, key=lambda line: document_name(line.source)):
        found.setdefault(name, ([], []))[0].extend(part)
    for item in unvalued:
        found.setdefault(document_name(item.source), ([], []))[1].append(item)
    return found


def lines_of(body: JsonObject) -> tuple[Line, ...]:
    """The lines of a document."""
    rows = cast("list[dict[str, Json]]", body["lines"])
    return tuple(_read(row) for row in rows)


def unvalued_of(body: JsonObject) -> tuple[Unvalued, ...]:
    """The unvalued activities of a document."""
    rows = cast("list[dict[str, str]]", body["unvalued"])
    return tuple(
        Unvalued(
            row["source"],
            cast("int", row["start_ns"]),
            cast("int", row["end_ns"]),
            from_text(row["value"]),
            row["unit"],
            row["reason"],
        )
        for row in rows
    )


def _line(line: Line) -> Json:
    marks = (("provisional", line.provisional), ("estimated", line.estimated), ("inexact", not line.exact))
    return {
        "id": line.id,
        "source": line.source,
        "scope": line.scope.value,
        "category": line.category.value,
        "gas": line.gas,
        "start_ns": line.start_ns,
        "end_ns": line.end_ns,
        "inputs": [[item.name, exact_text(item.value), item.unit] for item in line.inputs],
        "factors": [[use.role, use.id] for use in line.factors],
        "formula": line.formula,
        "flow": line.flow,
        "activities": list(line.activities),
        "marks": [name for name, is_set in marks if is_set],
        "gas_g": line.gas_g,
        "co2e_g": line.co2e_g,
    }


def _read(row: dict[str, Json]) -> Line:
    marks = cast("list[str]", row["marks"])
    return Line(
        id=cast("str", row["id"]),
        source=cast("str", row["source"]),
        scope=Scope(row["scope"]),
        category=Category(row["category"]),
        gas=cast("str", row["gas"]),
        start_ns=cast("int", row["start_ns"]),
        end_ns=cast("int", row["end_ns"]),
        inputs=tuple(Input(name, from_text(text), unit) for name, text, unit in cast("list[list[str]]", row["inputs"])),
        factors=tuple(FactorUse(role, factor) for role, factor in cast("list[list[str]]", row["factors"])),
        formula=cast("str", row["formula"]),
        flow=cast("int | None", row["flow"]),
        activities=tuple(cast("list[str]", row["activities"])),
        provisional="provisional" in marks,
        estimated="estimated" in marks,
        exact="inexact" not in marks,
        gas_g=cast("int", row["gas_g"]),
        co2e_g=cast("int", row["co2e_g"]),
    )
