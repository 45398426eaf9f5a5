"""Answers about lines: sums, pages, and one line opened down to registers or documents, factor rows and formula."""

from __future__ import annotations

from http import HTTPStatus
from itertools import pairwise
from typing import TYPE_CHECKING, cast
from zoneinfo import ZoneInfo

from shutan_collector.carbon.formulas import FORMULAS, evaluate
from shutan_collector.carbon.lines import Input
from shutan_collector.exact import exact_text, from_text
from shutan_collector.factors.table import factor_of_row
from shutan_collector.periods import iso
from shutan_collector.web import line_models, models
from shutan_collector.web.emissions import merged
from shutan_collector.web.periods import closings_of
from shutan_collector.web.problems import ProblemError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pydantic import JsonValue

    from shutan_collector.accounting.documents import Json, JsonObject
    from shutan_collector.ledger.closing import Close, Reference
    from shutan_collector.web.snapshot import Snapshot

__all__ = ["emission_list", "line_list", "trace"]

_PREFIX = "lines/"


def emission_list(snapshot: Snapshot, period: str) -> models.EmissionList:
    """Sums of the lines of a closed month or year."""
    close = snapshot.closed(period)
    found = [snapshot.lines(item) for month in closings_of(snapshot, close) for item in _documents(month, None)]
    return models.EmissionList(
        period=period,
        version=close.version,
        head=snapshot.mark,
        marks=models.Marks(complete=close.totals.complete, provisional=close.totals.provisional),
        emissions=merged(item for lines in found for item in lines.sums),
        unvalued=tuple(item for lines in found for item in lines.unvalued),
    )


def line_list(snapshot: Snapshot, period: str, source: str | None, offset: int, limit: int) -> line_models.LineList:
    """A page of a month's lines, document by document in the order of the close; source: of this one only."""
    close = snapshot.month(period)
    zone = _zone(snapshot, close)
    rows: list[JsonObject] = []
    total = 0
    for reference in _documents(close, source):
        found = snapshot.lines(reference).rows
        if source is not None:
            found = tuple(row for row in found if row["source"] == source)
        first = max(offset - total, 0)
        rows += found[first : first + limit - len(rows)]
        total += len(found)
    if source is not None and not total:
        known = ", ".join(sorted(reference.name.removeprefix(_PREFIX) for reference in _documents(close, None)))
        raise ProblemError(HTTPStatus.NOT_FOUND, f"period {period} has no lines of source {source!r}; it has {known}")
    return line_models.LineList(
        period=period,
        version=close.version,
        head=snapshot.mark,
        total=total,
        offset=offset,
        limit=limit,
        lines=tuple(_line(row, zone) for row in rows),
    )


def trace(snapshot: Snapshot, period: str, line_id: str) -> line_models.Trace:
    """One line with everything it rests on."""
    close = snapshot.month(period)
    row, reference = _find(snapshot, close, line_id)
    zone = _zone(snapshot, close)
    factors = {str(item["id"]): item for item in _rows(snapshot, close, "factors")}
    formulas = {str(item["name"]): item for item in _rows(snapshot, close, "formulas")}
    line = _line(row, zone)
    used = tuple(
        line_models.UsedFactor(role=role, factor=line_models.FactorItem.model_validate(factors[factor_id]))
        for role, factor_id in line.factors
    )
    return line_models.Trace(
        period=period,
        version=close.version,
        entry=reference.seq,
        head=snapshot.mark,
        line=line,
        flow=_flow(snapshot, close, line, zone) if line.flow is not None else None,
        activities=tuple(_activity(snapshot, close, name) for name in line.activities),
        factors=used,
        formula=line_models.FormulaItem.model_validate(formulas[line.formula]),
        exact_kg=_exact_kg(line, factors),
    )


def _documents(close: Close, source: str | None) -> Sequence[Reference]:
    """The documents that hold lines, or those of one source."""
    names = {_PREFIX + source, _PREFIX + source.partition(":")[0]} if source is not None else None
    return [
        reference
        for reference in close.documents
        if reference.name.startswith(_PREFIX) and (names is None or reference.name in names)
    ]


def _find(snapshot: Snapshot, close: Close, line_id: str) -> tuple[JsonObject, Reference]:
    for reference in _documents(close, None):
        found = snapshot.lines(reference)
        if line_id in found.places:
            return found.rows[found.places[line_id]], reference
    raise ProblemError(HTTPStatus.NOT_FOUND, f"period {close.period} has no line {line_id!r}; list them without its id")


def _zone(snapshot: Snapshot, close: Close) -> ZoneInfo:
    site = snapshot.document(close, "site")
    return ZoneInfo(str(site["zone"]) if site else "UTC")


def _rows(snapshot: Snapshot, close: Close, name: str) -> Sequence[JsonObject]:
    body = snapshot.document(close, name)
    return cast("Sequence[JsonObject]", body["rows"]) if body else ()


def _line(row: JsonObject, zone: ZoneInfo) -> line_models.LineItem:
    start_ns, end_ns = cast("int", row["start_ns"]), cast("int", row["end_ns"])
    inputs = cast("Sequence[tuple[str, str, str]]", row["inputs"])
    return line_models.LineItem.model_validate(
        {
            **row,
            "start": iso(start_ns, zone),
            "end": iso(end_ns, zone),
            "inputs": [{"name": name, "value": value, "unit": unit} for name, value, unit in inputs],
        }
    )


def _flow(snapshot: Snapshot, close: Close, line: line_models.LineItem, zone: ZoneInfo) -> line_models.FlowTrace:
    meter = line.source.partition(":")[2]
    body = snapshot.document(close, f"readings/{meter}")
    if body is None or line.flow is None:
        raise ProblemError(HTTPStatus.NOT_FOUND, f"period {close.period} has no readings of {meter!r}")
    first, after, value, present, expected = cast("Sequence[list[int]]", body["flows"])[line.flow]
    edges = cast("Sequence[list[int]]", body["boundaries"])
    (start_ns, low, before), (end_ns, until, high) = edges[first], edges[after]
    instruments = cast("Sequence[dict[str, JsonValue]]", body["instruments"])
    times, registers, numbers = (
        cast("Sequence[int]", body[name])[low : high + 1] for name in ("t_ns", "register", "instrument")
    )
    readings = tuple(zip(times, registers, numbers, strict=True))
    return line_models.FlowTrace(
        meter=meter,
        name=str(body["name"]),
        name_zh=str(body["name_zh"]),
        unit=str(body["unit"]),
        start_ns=start_ns,
        end_ns=end_ns,
        value=value,
        present=present,
        expected=expected,
        estimated=low != before or until != high,
        readings=tuple(
            models.ReadingItem(
                source=str(instruments[number]["source"]), t_ns=t_ns, time=iso(t_ns, zone), register_value=register
            )
            for t_ns, register, number in readings
        ),
        steps=_steps(registers, low, body),
        instruments=tuple(instruments[number] for number in sorted(set(numbers))),
    )


def _steps(registers: Sequence[int], first: int, body: JsonObject) -> tuple[line_models.Step, ...]:
    """What was counted between neighbouring readings; the break table says where a register did not simply rise."""
    breaks = {cast("int", cut["at"]): cut for cut in cast("Sequence[Mapping[str, Json]]", body["breaks"])}
    steps: list[line_models.Step] = []
    for number, (left, right) in enumerate(pairwise(registers), start=first + 1):
        cut = breaks.get(number)
        if cut is None:
            steps.append(line_models.Step(kind="run", counted=right - left, exact=True))
        else:
            counted = cast("int", cut["counted"])
            steps.append(line_models.Step(kind=str(cut["kind"]), counted=counted, exact=bool(cut["exact"])))
    return tuple(steps)


def _activity(snapshot: Snapshot, close: Close, reference: str) -> dict[str, JsonValue]:
    kind, _, key = reference.partition("/")
    for row in _rows(snapshot, close, f"activities/{kind}"):
        if row["key"] == key:
            return {"kind": kind, **cast("dict[str, JsonValue]", row)}
    raise ProblemError(HTTPStatus.NOT_FOUND, f"period {close.period} has no activity {reference!r}")


def _exact_kg(line: line_models.LineItem, factors: Mapping[str, JsonObject]) -> str | None:
    """CO2 equivalent in kilograms as the formula gives it, before the rounding."""
    if line.formula not in FORMULAS:
        return None
    inputs = [Input(item.name, from_text(item.value), item.unit) for item in line.inputs]
    rows = {role: factor_of_row(cast("dict[str, str]", factors[key])) for role, key in line.factors}
    return exact_text(evaluate(line.formula, inputs, rows).co2e_kg)
