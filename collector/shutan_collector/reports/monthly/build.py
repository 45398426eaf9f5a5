"""The monthly energy and carbon report (月度能源与碳排放报告): one closed or open month as a model of exact figures."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from shutan_collector.carbon.lines import Scope
from shutan_collector.energy.balance import node_balances
from shutan_collector.factors.table import packaged_factors
from shutan_collector.reports.budget import budget_standing
from shutan_collector.reports.carriers import meter_quantity
from shutan_collector.reports.consumption import consumption
from shutan_collector.reports.document import SHOWN
from shutan_collector.reports.emissions import METHODS, Method, by_source, total_g
from shutan_collector.reports.flow import energy_flow
from shutan_collector.reports.heading import heading_of
from shutan_collector.reports.monthly.load import load_of
from shutan_collector.site.model import Carrier, Role

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from zoneinfo import ZoneInfo

    from shutan_collector.accounting.summary import MeterUse, MonthSummary, Register
    from shutan_collector.carbon.lines import Unvalued
    from shutan_collector.control.budget import Budget
    from shutan_collector.energy.balance import NodeBalance
    from shutan_collector.factors.rows import Factor
    from shutan_collector.factors.table import FactorTable
    from shutan_collector.reports.budget import BudgetStanding
    from shutan_collector.reports.consumption import Consumption
    from shutan_collector.reports.emissions import SourceEmission
    from shutan_collector.reports.flow import EnergyFlow
    from shutan_collector.reports.heading import Heading
    from shutan_collector.reports.monthly.load import Load
    from shutan_collector.site.model import Meter, Site

__all__ = ["SCHEMA", "Change", "MeterFigure", "MonthlyModel", "build_monthly"]

SCHEMA: Final = "shutan.report.monthly/1"


@dataclass(frozen=True, slots=True)
class MeterFigure:
    """One meter over the month.

    first, last   registers that the month's ends rest on, in the metric's step `step_unit`
    value         in the step; `quantity` the same in `unit`; None where an end of the month has no reading
    swapped       the registers belong to two instruments, so that their difference is not the consumption
    """

    meter: str
    name: str
    name_zh: str
    carrier: Carrier
    role: Role
    level: int
    depth: int
    parent: str
    step_unit: str
    first: Register | None
    last: Register | None
    value: int | None
    quantity: Fraction | None
    unit: str
    present: int
    expected: int | None
    hours_missing: int
    estimated: bool
    exact: bool
    swapped: bool

    @property
    def completeness_pct(self) -> Fraction | None:
        """完整率: readings present per expected, percent; None where the interval is unknown."""
        return Fraction(100 * self.present, self.expected) if self.expected else None


@dataclass(frozen=True, slots=True)
class Change:
    """A figure of this month and of the month before; None where there is none."""

    key: str
    unit: str
    before: Fraction | None
    now: Fraction | None

    @property
    def percent(self) -> Fraction | None:
        """Change in percent of the month before."""
        if self.before is None or self.now is None or self.before == 0:
            return None
        return (self.now - self.before) / self.before * 100


@dataclass(frozen=True, slots=True)
class MonthlyModel:
    """The report; the same summaries and factors give the same model.

    scope_g     grams by scope, in the order of Scope, only those that appear
    methods     totals of scopes 1 and 2, one per method that appears
    before      period of comparison, "" if none is given
    budget      where the carbon budget of the year stands after this month, if one is given
    """

    heading: Heading
    site: Site = field(metadata={SHOWN: False})
    meters: tuple[MeterFigure, ...]
    balances: tuple[NodeBalance, ...]
    consumption: Consumption
    loads: tuple[Load, ...]
    scope_g: tuple[tuple[Scope, int], ...]
    methods: tuple[Method, ...]
    sources: tuple[SourceEmission, ...]
    unvalued: tuple[Unvalued, ...]
    factors: tuple[Factor, ...]
    flow: EnergyFlow
    before: str
    changes: tuple[Change, ...]
    budget: BudgetStanding | None

    @property
    def zone(self) -> ZoneInfo:
        """Time zone of the site."""
        return self.site.zone

    def total_g(self, scope: Scope) -> int:
        """Scopes 1 and 2 by one method; KeyError if the month has no figure of that method."""
        return {item.scope: item.total_g for item in self.methods}[scope]


def build_monthly(
    month: MonthSummary,
    before: MonthSummary | None = None,
    budget: Budget | None = None,
    year_so_far: Sequence[MonthSummary] = (),
    *,
    method: Scope = Scope.SCOPE_2_LOCATION,
    factors: FactorTable | None = None,
) -> MonthlyModel:
    """The model of a month; `before` is the month of comparison, factors: None = the packaged table.

    budget        carbon budget of the year, `year_so_far` its months from January to this one
    method        figure of electricity that the budget counts by

    Raises ControlError: a budget of another year, or months with a hole.
    """
    table = factors or packaged_factors()
    uses = {use.meter: use for use in month.meters}
    used = consumption(month, table)
    present = {item.scope for item in month.emissions}
    return MonthlyModel(
        heading=heading_of(month, SCHEMA),
        site=month.site,
        meters=tuple(_figure(month, meter, uses[meter.id]) for meter in month.site.tree() if meter.id in uses),
        balances=node_balances(month.site, uses),
        consumption=used,
        loads=tuple(_loads(month)),
        scope_g=tuple((scope, month.emission_g(scope)) for scope in sorted(present, key=_order)),
        methods=tuple(
            Method(scope, month.emission_g(scope), total_g(month, scope)) for scope in METHODS if scope in present
        ),
        sources=by_source(month),
        unvalued=month.unvalued,
        factors=month.factors,
        flow=energy_flow(month, table),
        before=before.period if before else "",
        changes=tuple(_changes(month, before, table)) if before else (),
        budget=None if budget is None else budget_standing(budget, year_so_far, method),
    )


def _order(scope: Scope) -> int:
    return list(type(scope)).index(scope)


def _figure(month: MonthSummary, meter: Meter, use: MeterUse) -> MeterFigure:
    quantity = meter_quantity(meter, use.value or 0)
    two = use.first is not None and use.last is not None and use.first.source != use.last.source
    return MeterFigure(
        meter=meter.id,
        name=meter.name,
        name_zh=meter.name_zh,
        carrier=meter.carrier,
        role=meter.role,
        level=meter.level,
        depth=month.site.depth(meter),
        parent=meter.parent,
        step_unit=meter.unit.value,
        first=use.first,
        last=use.last,
        value=use.value,
        quantity=None if use.value is None else quantity.value,
        unit=quantity.unit,
        present=use.present,
        expected=use.expected,
        hours_missing=sum(value is None for _, value in use.hours),
        estimated=use.estimated,
        exact=use.exact,
        swapped=two,
    )


def _loads(month: MonthSummary) -> Iterator[Load]:
    """Load of each entry meter of electricity."""
    for meter in month.site.tree():
        use = month.meter(meter.id)
        if use is not None and meter.role is Role.ENTRY and meter.carrier is Carrier.ELECTRICITY:
            yield load_of(month, use)


def _changes(month: MonthSummary, before: MonthSummary, table: FactorTable) -> Iterator[Change]:
    now, then = consumption(month, table), consumption(before, table)
    yield Change("tce", "tce", then.tce, now.tce)
    for item in now.carriers:
        old = then.find(item.key)
        yield Change(item.key, item.unit, old.used if old else None, item.used)
    for scope in METHODS:
        if any(item.scope is scope for item in month.emissions):
            had = any(item.scope is scope for item in before.emissions)
            yield Change(
                f"total_{scope.value}",
                "tCO2e",
                Fraction(total_g(before, scope), 1_000_000) if had else None,
                Fraction(total_g(month, scope), 1_000_000),
            )
