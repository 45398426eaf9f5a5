"""The energy report: every meter's consumption per period, and the carbon ledger under it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Final

from shutan_collector.carbon.accountant import not_accounted, scopes_of
from shutan_collector.carbon.lines import Scope
from shutan_collector.carbon.metered import metered_lines
from shutan_collector.energy.measure import Estimate, MeterEnergy, measure
from shutan_collector.energy.source import read_counter
from shutan_collector.factors.table import FactorTable, packaged_factors
from shutan_collector.periods import NS_PER_S, Kind, from_ns

if TYPE_CHECKING:
    from shutan_collector.carbon.lines import Line, Unvalued
    from shutan_collector.energy.measure import Flow
    from shutan_collector.series.base import SeriesReader
    from shutan_collector.site.model import Meter, Site

__all__ = ["SCOPES", "MeterReport", "Report", "build_energy_report", "missing", "report_scope"]

# What this report sums: electricity by location and burnt gas. The ledger has the other scopes (`shutan account`).
SCOPES: Final = (Scope.SCOPE_1, Scope.SCOPE_2_LOCATION)


def report_scope(meter: Meter) -> Scope | None:
    """Scope that a meter's consumption has in this report; None if it has none of `SCOPES`."""
    return next((scope for scope in scopes_of(meter) if scope in SCOPES), None)


def missing(meter: Meter) -> str:
    """Why a bought carrier is not in this report's emissions; empty if it is not missing."""
    if Scope.SCOPE_2_HEAT in scopes_of(meter):
        return f"bought {meter.carrier} is measured, its emission is not part of this report"
    return not_accounted(meter)


@dataclass(frozen=True, slots=True)
class MeterReport:
    """One meter: its consumption in the report's periods, and its ledger lines if it has a scope.

    flows   the hours, gaps and edges that the lines stand for, by `line.flow`
    """

    meter: Meter
    energy: MeterEnergy
    bad_quality: int
    flows: tuple[Flow, ...]
    lines: tuple[Line, ...]
    unvalued: tuple[Unvalued, ...]
    not_accounted: str

    @property
    def complete(self) -> bool:
        """Whether the whole request is measured, exactly, and valued where it has to be."""
        total = self.energy.total
        return total.value is not None and total.exact and not self.unvalued and not self.not_accounted

    def carbon_g(self, start_ns: int, end_ns: int) -> int:
        """Sum of the ledger lines that lie inside an interval, grams."""
        return sum(line.co2e_g for line in self.lines if start_ns <= line.start_ns and line.end_ns <= end_ns)

    def period_carbon_g(self, kind: Kind, flow: Flow) -> int | None:
        """Emission of one of the report's periods, grams; None where the meter emits nothing or it cannot be told.

        It cannot where the period has no value, no single factor, is a quarter, finer than a ledger line, or a shift
        that begins or ends within one.
        """
        if kind is Kind.SHIFT:
            edges = {edge for line in self.lines for edge in (line.start_ns, line.end_ns)}
            if not {flow.start_ns, flow.end_ns} <= edges:
                return None
        unvalued = any(part.start_ns < flow.end_ns and flow.start_ns < part.end_ns for part in self.unvalued)
        if report_scope(self.meter) is None or flow.value is None or kind is Kind.QUARTER or unvalued:
            return None
        return self.carbon_g(flow.start_ns, flow.end_ns)


@dataclass(frozen=True, slots=True)
class Report:
    """An energy report over [start_ns, end_ns); the same inputs give the same report, bit for bit.

    as_of   report date that decides which factors were issued
    """

    site: Site
    start_ns: int
    end_ns: int
    kind: Kind
    as_of: date
    estimate: Estimate
    meters: tuple[MeterReport, ...]

    @property
    def lines(self) -> tuple[Line, ...]:
        """All ledger lines, by meter, then time."""
        return tuple(line for item in self.meters for line in item.lines)

    @property
    def complete(self) -> bool:
        """Whether every meter that emits is complete."""
        return all(item.complete for item in self.meters if report_scope(item.meter) or item.not_accounted)

    @property
    def provisional(self) -> bool:
        """Whether any line uses a factor 暂用."""
        return any(line.provisional for line in self.lines)

    def emission_g(self, scope: Scope | None = None) -> int:
        """Sum of the ledger lines of a scope, or of all, grams."""
        return sum(line.co2e_g for line in self.lines if scope in {None, line.scope})

    def meter(self, meter_id: str) -> MeterReport:
        """The report of one meter; KeyError if the site has none of that id."""
        for item in self.meters:
            if item.meter.id == meter_id:
                return item
        raise KeyError(meter_id)


def build_energy_report(
    site: Site,
    reader: SeriesReader,
    start_ns: int,
    end_ns: int,
    kind: Kind,
    *,
    estimate: Estimate = Estimate.NONE,
    as_of: date | None = None,
    factors: FactorTable | None = None,
) -> Report:
    """Read, count and value one site over [start_ns, end_ns).

    as_of     report date; None = today, but never before the end of the report
    factors   None = the packaged table

    Raises RequestError, StoreUnavailableError, SeriesError, FactorError.
    """
    if as_of is None:
        as_of = max(datetime.now(UTC).astimezone(site.zone).date(), from_ns(end_ns, site.zone).date())
    table = factors or packaged_factors()
    spans = site.spans(start_ns, end_ns, kind)
    hours = spans if kind is Kind.HOUR else site.spans(start_ns, end_ns, Kind.HOUR)
    tolerance_ns = site.tolerance_s * NS_PER_S
    meters: list[MeterReport] = []
    for meter in site.tree():
        counter, bad_quality = read_counter(site, meter, reader, start_ns, end_ns)
        interval_ns = meter.interval_s * NS_PER_S if meter.interval_s else None
        energy = measure(counter, spans, tolerance_ns, interval_ns, estimate)
        flows: list[Flow] = []
        if report_scope(meter):
            hourly = energy if hours is spans else measure(counter, hours, tolerance_ns, interval_ns, estimate)
            flows = sorted((*hourly.periods, *hourly.unallocated), key=lambda flow: flow.start_ns)
        lines, unvalued = metered_lines(site, meter, flows, table, as_of, scopes=SCOPES)
        meters.append(
            MeterReport(
                meter=meter,
                energy=energy,
                bad_quality=bad_quality,
                flows=tuple(flows),
                lines=lines,
                unvalued=unvalued,
                not_accounted=missing(meter),
            )
        )
    return Report(site, start_ns, end_ns, kind, as_of, estimate, tuple(meters))
