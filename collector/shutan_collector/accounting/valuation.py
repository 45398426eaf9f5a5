"""From the readings and activity rows of a month to its lines and totals; nothing else is looked at.

A month is valued from the documents that the ledger keeps, whether they were read from the series a moment ago or
closed years before. So a restatement with another factor release needs no series store, and repeats what was closed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shutan_collector.accounting.documents import Document, PeriodDocuments
from shutan_collector.accounting.lines import lines_by_document, lines_document, lines_of, unvalued_of
from shutan_collector.accounting.readings import flows_of
from shutan_collector.accounting.reference import factors_document, formulas_document
from shutan_collector.accounting.totals import MeterTotal, meter_total, totals_document
from shutan_collector.activity.documents import PREFIX, book_of
from shutan_collector.carbon.accountant import not_accounted, scopes_of
from shutan_collector.carbon.activities import activity_lines
from shutan_collector.carbon.market import market_lines
from shutan_collector.carbon.metered import metered_lines
from shutan_collector.carbon.sectors import check_site, load_sector
from shutan_collector.carbon.totals import gwp_set_of
from shutan_collector.errors import SiteError
from shutan_collector.site.model import Carrier, Role

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date

    from shutan_collector.accounting.documents import JsonObject
    from shutan_collector.activity.kinds import ActivityBook
    from shutan_collector.carbon.lines import Line, Unvalued
    from shutan_collector.carbon.market import Claim
    from shutan_collector.factors.release import Release
    from shutan_collector.site.model import Site

__all__ = ["Valuation", "value_month"]


@dataclass(frozen=True, slots=True)
class Valuation:
    """What readings and rows are valued with; `as_of` is the report date that decides which factors were issued."""

    site: Site
    release: Release
    as_of: date


def value_month(
    valuation: Valuation,
    month: str,
    documents: Mapping[str, JsonObject],
    claimed: frozenset[str],
    *,
    valued: Mapping[str, JsonObject] | None = None,
) -> PeriodDocuments:
    """All documents of a month from its "site", "readings/..." and "activities/..." documents.

    claimed   certificates that other closed periods have claimed
    valued    "lines/meter:..." documents that came from the same readings, rows and valuation, and serve again

    Raises SiteError (a choice that the sector form does not take), FactorError, ActivityError, ClaimError.
    """
    site, table, as_of = valuation.site, valuation.release.table, valuation.as_of
    if problems := check_site(load_sector(site.sector), site):
        raise SiteError("site.toml [site]", problems)
    book = book_of({name: body for name, body in documents.items() if name.startswith(PREFIX)}, site.zone)
    lines: list[Line] = []
    unvalued: list[Unvalued] = []
    for meter in site.tree():
        if not scopes_of(meter):
            continue
        if (known := (valued or {}).get(f"lines/meter:{meter.id}")) is not None:
            lines += lines_of(known)
            unvalued += unvalued_of(known)
            continue
        found = metered_lines(site, meter, flows_of(documents[f"readings/{meter.id}"]), table, as_of, book=book)
        lines += found[0]
        unvalued += found[1]
    rows = activity_lines(site, book, month, table, as_of)
    bought = _bought(site, documents)
    market = market_lines(
        site,
        month,
        sum(item.value for item in bought),
        book,
        claimed,
        table,
        as_of,
        estimated=any(item.state == "estimated" for item in bought),
        exact=all(item.state != "inexact" for item in bought),
    )
    lines += (*rows[0], *market.lines)
    unvalued += rows[1]
    gwp_set_of(lines, table)
    found_documents = dict(documents)
    for name, (of_source, not_valued) in lines_by_document(lines, unvalued).items():
        found_documents[name] = lines_document(of_source, not_valued)
    found_documents["claims"] = _claims(market.claims)
    found_documents["factors"] = factors_document(valuation.release, lines, as_of)
    found_documents["formulas"] = formulas_document(line.formula for line in lines)
    found_documents["totals"] = _totals(site, book, month, documents, (lines, unvalued))
    return PeriodDocuments(month, tuple(Document(name, found_documents[name]) for name in sorted(found_documents)))


def _bought(site: Site, documents: Mapping[str, JsonObject]) -> tuple[MeterTotal, ...]:
    """Electricity bought in the month, by entry meter, from its flows."""
    entries = (meter for meter in site.meters if (meter.carrier, meter.role) == (Carrier.ELECTRICITY, Role.ENTRY))
    return tuple(meter_total(documents[f"readings/{meter.id}"]) for meter in entries)


def _claims(claims: Iterable[Claim]) -> JsonObject:
    return {"schema": "shutan.claims/1", "claims": [[item.certificate, item.energy_wh, item.period] for item in claims]}


def _totals(
    site: Site,
    book: ActivityBook,
    month: str,
    documents: Mapping[str, JsonObject],
    valued: tuple[Sequence[Line], Sequence[Unvalued]],
) -> JsonObject:
    lines, unvalued = valued
    meters = [meter_total(documents[f"readings/{meter.id}"]) for meter in site.tree()]
    state = {item.meter: item.state for item in meters}
    emitting = {line.source.removeprefix("meter:") for line in lines if line.source.startswith("meter:")}
    whole = all(state[meter_id] in {"complete", "estimated"} for meter_id in emitting)
    covered = not unvalued and not any(not_accounted(meter, book) for meter in site.meters)
    provisional = any(line.provisional for line in lines)
    return totals_document(month, lines, meters, complete=whole and covered, provisional=provisional)
