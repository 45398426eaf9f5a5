"""Filling the typed view of a period (summary.py) from its documents."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, cast

from shutan_collector.accounting.lines import lines_of, unvalued_of
from shutan_collector.accounting.month import month_span
from shutan_collector.accounting.summary import Emission, MeterUse, MonthSummary, Register, YearSummary
from shutan_collector.accounting.totals import meter_total
from shutan_collector.activity.documents import PREFIX, book_of
from shutan_collector.factors.file import factor_of_row
from shutan_collector.periods import Kind, split
from shutan_collector.site.file import parse_site
from shutan_collector.site.model import Carrier, Role
from shutan_collector.units import Unit

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from shutan_collector.accounting.documents import Json, JsonObject, PeriodDocuments
    from shutan_collector.accounting.summary import LedgerMark
    from shutan_collector.carbon.lines import Line

__all__ = ["month_summary", "year_summary"]


def month_summary(
    documents: PeriodDocuments, *, version: int = 0, closed: bool = False, mark: LedgerMark | None = None
) -> MonthSummary:
    """The view of one month; version and closed come from the ledger."""
    bodies = {document.name: cast("dict[str, Json]", document.body) for document in documents.documents}
    site = parse_site(str(bodies["site"]["text"]), "site.toml", tariff_text=str(bodies["site"]["tariff_text"]) or None)
    totals, factors = bodies["totals"], bodies["factors"]
    span = month_span(documents.period, site.zone)
    starts = [hour.start_ns for hour in split(span.start_ns, span.end_ns, Kind.HOUR, site.zone)]
    line_bodies = [body for name, body in bodies.items() if name.startswith("lines/")]
    return MonthSummary(
        period=documents.period,
        version=version,
        closed=closed,
        site=site,
        meters=tuple(_use(bodies[f"readings/{meter.id}"], starts) for meter in site.tree()),
        emissions=_emissions(line for body in line_bodies for line in lines_of(body)),
        unvalued=tuple(item for body in line_bodies for item in unvalued_of(body)),
        book=book_of({name: body for name, body in bodies.items() if name.startswith(PREFIX)}, site.zone),
        factors=tuple(factor_of_row(row) for row in cast("list[dict[str, str]]", factors["rows"])),
        as_of=date.fromisoformat(str(factors["as_of"])),
        complete=bool(totals["complete"]),
        provisional=bool(totals["provisional"]),
        mark=mark,
    )


def year_summary(year: str, months: Sequence[MonthSummary], mark: LedgerMark | None = None) -> YearSummary:
    """A year of its months in order."""
    return YearSummary(year, tuple(sorted(months, key=lambda month: month.period)), mark)


def _use(body: JsonObject, starts: Sequence[int]) -> MeterUse:
    boundaries = cast("list[list[int] | None]", body["boundaries"])
    flows = cast("list[list[int]]", body["flows"])
    total = meter_total(body)
    whole = boundaries[0] is not None and boundaries[-1] is not None
    hours = {flow[0]: flow[2] for flow in flows if flow[1] == flow[0] + 1}
    expected = [cast("int | None", flow[4]) for flow in flows]
    return MeterUse(
        meter=str(body["meter"]),
        name=str(body["name"]),
        name_zh=str(body["name_zh"]),
        carrier=Carrier(body["carrier"]),
        role=Role(body["role"]),
        level=cast("int", body["level"]),
        parent=str(body["parent"]),
        unit=Unit(body["unit"]),
        value=total.value if whole else None,
        estimated=any(edge is not None and edge[1] != edge[2] for edge in boundaries),
        exact=all(bool(cut["exact"]) for cut in cast("list[dict[str, Json]]", body["breaks"])),
        present=sum(flow[3] for flow in flows),
        expected=None if None in expected else sum(item or 0 for item in expected),
        hours=tuple((start, hours.get(number)) for number, start in enumerate(starts)),
        first=_register(body, boundaries[0], 1),
        last=_register(body, boundaries[-1], 2),
    )


def _register(body: JsonObject, boundary: Sequence[int] | None, side: int) -> Register | None:
    """The reading that a boundary rests on; side 1 is the one at or before it, 2 the one at or after it."""
    if boundary is None:
        return None
    instruments = cast("list[dict[str, str]]", body["instruments"])
    columns = (cast("list[int]", body[name]) for name in ("instrument", "t_ns", "register"))
    number, t_ns, register = (column[boundary[side]] for column in columns)
    return Register(instruments[number]["source"], t_ns, register)


def _emissions(lines: Iterable[Line]) -> tuple[Emission, ...]:
    """Lines summed by source, scope, category and gas."""
    groups: dict[tuple[str, str, str, str], list[Line]] = {}
    for line in lines:
        groups.setdefault((line.source, line.scope.value, line.category.value, line.gas), []).append(line)
    return tuple(
        Emission(
            source=part[0].source,
            scope=part[0].scope,
            category=part[0].category,
            gas=part[0].gas,
            gas_g=sum(line.gas_g for line in part),
            co2e_g=sum(line.co2e_g for line in part),
            provisional=any(line.provisional for line in part),
            estimated=any(line.estimated for line in part),
        )
        for _, part in sorted(groups.items())
    )
