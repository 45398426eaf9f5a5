"""The annual greenhouse-gas report (年度温室气体排放报告) of an enterprise, in the rows of its sector's form.

Source: GB/T 32150 and the sector parts of GB/T 32151 (boundary, sources, activity data, factors, report); GHG Protocol
Scope 2 Guidance (location- and market-based figures side by side).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from shutan_collector.carbon.lines import Category, Scope
from shutan_collector.carbon.sectors import check_site, fill_form, load_sector
from shutan_collector.reports.budget import budget_standing
from shutan_collector.reports.document import SHOWN
from shutan_collector.reports.emissions import METHODS, Method, by_source, total_g
from shutan_collector.reports.heading import heading_of

if TYPE_CHECKING:
    from shutan_collector.accounting.summary import MonthSummary, YearSummary
    from shutan_collector.carbon.lines import Unvalued
    from shutan_collector.carbon.sectors import Form
    from shutan_collector.carbon.sectors import Method as FormMethod
    from shutan_collector.control.budget import Budget
    from shutan_collector.errors import Problem
    from shutan_collector.factors.rows import Factor
    from shutan_collector.reports.budget import BudgetStanding
    from shutan_collector.reports.emissions import SourceEmission
    from shutan_collector.reports.heading import Heading
    from shutan_collector.site.model import Site

__all__ = ["SCHEMA", "GhgModel", "MonthEmission", "build_ghg"]

SCHEMA: Final = "shutan.report.ghg/1"


@dataclass(frozen=True, slots=True)
class MonthEmission:
    """One month: grams by scope in the order of Scope, and by category with one method for electricity."""

    period: str
    closed: bool
    complete: bool
    version: int
    scope_g: tuple[tuple[Scope, int], ...]
    by_category: tuple[tuple[Category, int], ...]


@dataclass(frozen=True, slots=True)
class GhgModel:
    """The report.

    form            filled form of the sector; what it refuses has no row, and the report says so
    objections      choices of the site model that the sector's guideline does not take
    missing_months  months of the year that are not in the summary
    """

    heading: Heading
    site: Site = field(metadata={SHOWN: False})
    form: Form
    objections: tuple[Problem, ...]
    scope_g: tuple[tuple[Scope, int], ...]
    methods: tuple[Method, ...]
    sources: tuple[SourceEmission, ...]
    months: tuple[MonthEmission, ...]
    missing_months: tuple[str, ...]
    unvalued: tuple[Unvalued, ...]
    factors: tuple[Factor, ...]
    budget: BudgetStanding | None

    def grams(self, scope: Scope) -> int:
        """Sum of one scope."""
        return dict(self.scope_g).get(scope, 0)


def build_ghg(year: YearSummary, method: FormMethod | None = None, budget: Budget | None = None) -> GhgModel:
    """The model of a year in the form of the site's sector.

    method   figure of electricity that the form is filled with; None = the first that the sector's guideline takes

    Raises SectorError: an unknown sector, or a method that its guideline does not take; ControlError: a budget of
    another year, or months with a hole.
    """
    sector = load_sector(year.site.sector)
    form = fill_form(sector, year.emissions, method)
    present = {item.scope for item in year.emissions}
    have = {month.period for month in year.months}
    return GhgModel(
        heading=heading_of(year, SCHEMA),
        site=year.site,
        form=form,
        objections=check_site(sector, year.site),
        scope_g=_by_scope(year, present),
        methods=tuple(
            Method(scope, year.emission_g(scope), total_g(year, scope)) for scope in METHODS if scope in present
        ),
        sources=by_source(year),
        months=tuple(_month(month, form.method.bought) for month in year.months),
        missing_months=tuple(period for number in range(1, 13) if (period := f"{year.period}-{number:02}") not in have),
        unvalued=year.unvalued,
        factors=year.factors,
        budget=None if budget is None else budget_standing(budget, year.months, form.method.bought),
    )


def _by_scope(summary: MonthSummary | YearSummary, present: set[Scope]) -> tuple[tuple[Scope, int], ...]:
    return tuple((scope, summary.emission_g(scope)) for scope in Scope if scope in present)


def _month(month: MonthSummary, method: Scope) -> MonthEmission:
    counted = {Scope.SCOPE_1, Scope.SCOPE_2_HEAT, method}
    grams: dict[Category, int] = {}
    for item in month.emissions:
        if item.scope in counted:
            grams[item.category] = grams.get(item.category, 0) + item.co2e_g
    return MonthEmission(
        period=month.period,
        closed=month.closed,
        complete=month.complete,
        version=month.version,
        scope_g=_by_scope(month, {item.scope for item in month.emissions}),
        by_category=tuple((category, grams[category]) for category in Category if category in grams),
    )
