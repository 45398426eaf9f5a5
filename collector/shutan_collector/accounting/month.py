"""One month from readings and documents to the documents that a ledger closes.

Readings become flows, flows and activity rows become lines, lines become totals; each step is kept. The same inputs
give the same bytes, so that a second computation tells what changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, cast

from shutan_collector.accounting.readings import Day, readings_document
from shutan_collector.accounting.reference import site_document
from shutan_collector.accounting.valuation import Valuation, value_month
from shutan_collector.activity.documents import PREFIX, bodies
from shutan_collector.activity.manual import manual_counter
from shutan_collector.energy.measure import Estimate, measure
from shutan_collector.energy.source import read_counter
from shutan_collector.errors import RequestError
from shutan_collector.periods import NS_PER_S, Kind, Span, split, to_ns
from shutan_collector.series.base import Source

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from zoneinfo import ZoneInfo

    from shutan_collector.accounting.documents import JsonObject, PeriodDocuments
    from shutan_collector.activity.kinds import ActivityBook, DeclaredMissing
    from shutan_collector.factors.release import Release
    from shutan_collector.series.base import SeriesReader
    from shutan_collector.site.model import Meter, Site

__all__ = ["Basis", "account_month", "month_days", "month_span", "months_of"]

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Basis:
    """Everything that figures are computed from.

    site_text, tariff_text   the files as they stood, for the ledger
    as_of                    report date that decides which factors were issued
    """

    site: Site
    site_text: str
    tariff_text: str
    book: ActivityBook
    reader: SeriesReader
    release: Release
    as_of: date


def month_span(month: str, zone: ZoneInfo) -> Span:
    """The calendar month "2025-06" in UTC nanoseconds. Raises RequestError for another text."""
    first = _first_day(month)
    edges = (first, (first + timedelta(days=31)).replace(day=1))
    start_ns, end_ns = (to_ns(datetime.combine(day, time(), zone)) for day in edges)
    return Span(start_ns, end_ns)


def months_of(period: str) -> tuple[str, ...]:
    """The months of a month "2025-06" or of a year "2025". Raises RequestError."""
    if len(period) == 4 and period.isdecimal():
        return tuple(f"{period}-{number:02d}" for number in range(1, 13))
    _first_day(period)
    return (period,)


def month_days(month: str) -> tuple[date, ...]:
    """All days of a month, in order."""
    day = _first_day(month)
    days: list[date] = []
    while f"{day:%Y-%m}" == month:
        days.append(day)
        day += _DAY
    return tuple(days)


def account_month(
    basis: Basis,
    month: str,
    *,
    claimed: frozenset[str] = frozenset(),
    base: PeriodDocuments | None = None,
    touched: Collection[str] | None = None,
) -> PeriodDocuments:
    """Compute one month.

    claimed        certificates that other closed periods have claimed
    base, touched  an earlier computation of the month, and the meters to read again; None = all

    Raises RequestError, StoreUnavailableError, SeriesError, FactorError, ActivityError, ClaimError.
    """
    site = basis.site
    span = month_span(month, site.zone)
    hours = split(span.start_ns, span.end_ns, Kind.HOUR, site.zone)
    documents: dict[str, JsonObject] = {"site": site_document(site, basis.site_text, basis.tariff_text)}
    valued: dict[str, JsonObject] = {}
    for meter in site.tree():
        name = f"readings/{meter.id}"
        earlier = base.find(name) if base is not None and touched is not None and meter.id not in touched else None
        documents[name] = earlier or _read(basis, meter, month, span, hours)
        if base is not None and earlier is not None and (lines := base.find(f"lines/meter:{meter.id}")) is not None:
            valued[f"lines/meter:{meter.id}"] = lines
    documents |= bodies(basis.book.select(month))
    valuation = Valuation(site, basis.release, basis.as_of)
    same = base is not None and _is_valued_alike(base, basis, documents)
    return value_month(valuation, month, documents, claimed, valued=valued if same else None)


def _is_valued_alike(base: PeriodDocuments, basis: Basis, documents: Mapping[str, JsonObject]) -> bool:
    """Whether site model, rows, factor release and report date are those of the earlier computation."""
    factors = cast("Mapping[str, Mapping[str, str] | str]", base.find("factors") or {})
    release = {"name": basis.release.name, "sha256": basis.release.sha256}
    if factors.get("release") != release or factors.get("as_of") != basis.as_of.isoformat():
        return False
    kept = {item.name: item.body for item in base.documents if item.name.startswith(("site", PREFIX))}
    return kept == {name: body for name, body in documents.items() if name.startswith(("site", PREFIX))}


def _read(basis: Basis, meter: Meter, month: str, span: Span, hours: Sequence[Span]) -> JsonObject:
    """The readings document of one meter."""
    site = basis.site
    declared = _declared(basis.book, meter, month)
    # A line over a hole at the month's edge ends at readings outside the month: they are read as well.
    reach = [span, *(Span(_midnight_ns(i.start, site), _midnight_ns(i.end + _DAY, site)) for i in declared)]
    start_ns, end_ns = min(part.start_ns for part in reach), max(part.end_ns for part in reach)
    counter, bad_quality = read_counter(site, meter, basis.reader, start_ns, end_ns)
    if not len(counter):  # no instrument reports: what a person read (抄表) counts, if anybody did
        counter = manual_counter(meter, basis.book.select(month).readings)
    linear = any(item.method == "linear" for item in declared)
    interval_ns = meter.interval_s * NS_PER_S if meter.interval_s else None
    estimate = Estimate.LINEAR if linear else Estimate.NONE
    energy = measure(counter, hours, site.tolerance_s * NS_PER_S, interval_ns, estimate)
    return readings_document(
        meter,
        counter,
        energy,
        bad_quality=bad_quality,
        declared=[f"declared_missing/{item.key}" for item in declared],
        days=fingerprint(site, meter, basis.reader, month),
    )


def fingerprint(site: Site, meter: Meter, reader: SeriesReader, month: str) -> tuple[Day, ...]:
    """One entry per local day of a month over all instruments of a metering point."""
    days = month_days(month)
    edges = [_midnight_ns(day, site) for day in (*days, days[-1] + _DAY)]
    sums = [(0, 0, 0)] * len(days)
    for node, device in dict.fromkeys((item.node, item.device) for item in meter.installations):
        source = Source(meter.family, site.id, node, device)
        found = reader.fingerprints(source, meter.metric, edges)
        sums = [(a + d, b + e, c + f) for (a, b, c), (d, e, f) in zip(sums, found, strict=True)]
    return tuple(Day(day.isoformat(), *one) for day, one in zip(days, sums, strict=True))


def _declared(book: ActivityBook, meter: Meter, month: str) -> tuple[DeclaredMissing, ...]:
    """Declarations of this meter that touch the month."""
    days = month_days(month)
    return tuple(
        item
        for item in book.declared_missing
        if item.meter == meter.id and item.start <= days[-1] and days[0] <= item.end
    )


def _midnight_ns(day: date, site: Site) -> int:
    return to_ns(datetime.combine(day, time(), site.zone))


def _first_day(month: str) -> date:
    try:
        day = date.fromisoformat(f"{month}-01")
    except ValueError:
        raise RequestError("--period", f"{month!r} is not a month; give 2025-06 or a year such as 2025") from None
    return day
