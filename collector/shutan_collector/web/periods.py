"""Answers about periods: where they stand, their totals and energy."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from shutan_collector.accounting.summaries import month_summary, year_summary
from shutan_collector.carbon.lines import Scope
from shutan_collector.ledger.closing import documents_of, history
from shutan_collector.periods import iso
from shutan_collector.web import models
from shutan_collector.web.problems import ProblemError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from zoneinfo import ZoneInfo

    from shutan_collector.accounting.summary import MeterUse, MonthSummary, Register, YearSummary
    from shutan_collector.accounting.sums import Totals
    from shutan_collector.ledger.closing import Close
    from shutan_collector.web.snapshot import Snapshot

__all__ = ["closings_of", "energy", "period_detail", "period_list"]

_YEAR = len("2025")
_FIGURES_WEIGHT = 5 << 20  # a month in memory: a row per meter and hour, the activities, the site


def period_list(snapshot: Snapshot, offset: int, limit: int) -> models.PeriodList:
    """A page of the closed periods, in order."""
    closes = snapshot.closes
    page = list(closes.values())[offset : offset + limit]
    return models.PeriodList(
        head=snapshot.mark,
        total=len(closes),
        offset=offset,
        limit=limit,
        periods=tuple(_item(snapshot, close.period, close) for close in page),
    )


def period_detail(snapshot: Snapshot, period: str) -> models.PeriodDetail:
    """Where a period stands, with its totals and versions."""
    close = snapshot.close(period)
    versions = history(snapshot.ledger, period) if close else ()
    return models.PeriodDetail(
        **_item(snapshot, period, close).model_dump(),
        head=snapshot.mark,
        totals=_totals(close.totals) if close else None,
        months=tuple(
            models.MonthItem(period=item.month, version=item.version, entry=item.seq)
            for item in (close.months if close else ())
        ),
        versions=tuple(
            models.Version(
                version=item.version,
                entry=item.seq,
                hash=item.hash,
                at=item.at,
                author=item.author,
                reason=item.reason,
                restates=item.restates,
            )
            for item in versions
        ),
        documents=tuple(
            models.DocumentReference(name=item.name, entry=item.seq, sha256=item.sha256)
            for item in (close.documents if close else ())
        ),
    )


def energy(snapshot: Snapshot, period: str, meter: str | None) -> models.EnergyList:
    """Consumption of all meters, or of one with its hours."""
    close = snapshot.closed(period)
    summary = _summary(snapshot, close)
    uses = [use for use in summary.meters if meter is None or use.meter == meter]
    if not uses:
        raise ProblemError(
            HTTPStatus.NOT_FOUND, f"period {period} has no meter {meter!r}; leave ?meter= out to see them"
        )
    with_hours = meter is not None and len(period) > _YEAR
    zone = summary.site.zone
    return models.EnergyList(
        period=period,
        version=close.version,
        head=snapshot.mark,
        meters=tuple(_use(use, zone, with_hours=with_hours) for use in uses),
    )


def _item(snapshot: Snapshot, period: str, close: Close | None) -> models.PeriodItem:
    stale: list[str] = []
    for item in close.months if close else ():
        now = snapshot.closes.get(item.month)
        if now is not None and now.seq != item.seq:
            stale.append(item.month)
    return models.PeriodItem(
        period=period,
        kind="year" if len(period) == _YEAR else "month",
        state="closed" if close else "open",
        version=close.version if close else 0,
        entry=close.seq if close else None,
        closed_at=close.at if close else None,
        author=close.author if close else None,
        marks=_marks(close.totals) if close else None,
        stale=tuple(stale),
    )


def _marks(totals: Totals) -> models.Marks:
    return models.Marks(complete=totals.complete, provisional=totals.provisional)


def _totals(totals: Totals) -> models.Totals:
    return models.Totals(
        by_scope=tuple(
            models.ScopeTotal(scope=scope, memo=Scope(scope).memo, co2e_g=grams)
            for scope, grams in totals.by_scope.items()
        ),
        by_source=tuple(
            models.SourceTotal(source=key.rpartition("|")[0], scope=key.rpartition("|")[2], co2e_g=grams)
            for key, grams in totals.by_source.items()
        ),
        by_category=tuple(
            models.CategoryTotal(scope=scope, category=category, gas=gas, gas_g=found.gas_g, co2e_g=found.co2e_g)
            for key, found in totals.by_category.items()
            for scope, category, gas in [key.split("|")]
        ),
        energy=tuple(
            models.EnergyTotal(meter=meter, value=item.value, unit=item.unit, state=item.state)
            for meter, item in totals.energy.items()
        ),
    )


def _summary(snapshot: Snapshot, close: Close) -> MonthSummary | YearSummary:
    """The typed view of a closed period, kept by its close entry, which never changes."""
    if not close.months:
        return _month(snapshot, close)
    return year_summary(close.period, [_month(snapshot, item) for item in closings_of(snapshot, close)])


def closings_of(snapshot: Snapshot, close: Close) -> Sequence[Close]:
    """The month itself; of a year the closings it was summed from, also where a month has been restated since."""
    found: list[Close] = [] if close.months else [close]
    for item in close.months:
        now = snapshot.closes[item.month]
        if now.seq == item.seq:
            found.append(now)
        else:
            found += (one for one in history(snapshot.ledger, item.month) if one.seq == item.seq)
    return found


def _month(snapshot: Snapshot, close: Close) -> MonthSummary:
    def make() -> tuple[MonthSummary, int]:
        documents = documents_of(snapshot.ledger, close.period, close.documents)
        return month_summary(documents, version=close.version, closed=True), _FIGURES_WEIGHT

    return snapshot.caches.figures.get(close.seq, make)


def _use(use: MeterUse, zone: ZoneInfo, *, with_hours: bool) -> models.EnergyItem:
    hours = tuple(models.Hour(start_ns=start, start=iso(start, zone), value=value) for start, value in use.hours)
    return models.EnergyItem(
        meter=use.meter,
        name=use.name,
        name_zh=use.name_zh,
        carrier=use.carrier.value,
        role=use.role.value,
        level=use.level,
        parent=use.parent,
        unit=use.unit.value,
        value=use.value,
        estimated=use.estimated,
        exact=use.exact,
        present=use.present,
        expected=use.expected,
        first=_register(use.first, zone),
        last=_register(use.last, zone),
        hours=hours if with_hours else None,
    )


def _register(found: Register | None, zone: ZoneInfo) -> models.ReadingItem | None:
    if found is None:
        return None
    return models.ReadingItem(
        source=found.source, t_ns=found.t_ns, time=iso(found.t_ns, zone), register_value=found.register
    )
