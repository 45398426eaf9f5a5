"""Where each budget stands: burn-down, forecast, warning before the overrun, and where the difference comes from.

| level | meaning |
|---|---|
| overrun | the year's budget is used up (total), or more was emitted than the volume allowed (intensity) |
| expected overrun | the forecast of the year is above the budget |
| at risk | the upper end of the forecast's interval is above it |
| ahead of plan | the finished months emitted more than planned, by more than the budget's tolerance |
| within | none of these |
| no data | no month is finished, an intensity lacks a volume, or no emission names the budget's area |
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import TYPE_CHECKING

from shutan_collector.control.actuals import Actuals, Basis
from shutan_collector.control.attribution import (
    Contribution,
    Effects,
    attribute,
    effects,
    grams_by,
    scaled_reference,
)
from shutan_collector.control.burndown import BurnDown, burn_down
from shutan_collector.control.forecast import Forecast, forecast
from shutan_collector.errors import ControlError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shutan_collector.control.attribution import By
    from shutan_collector.control.budget import Budget, BudgetLine

__all__ = ["Attribution", "Level", "LineStatus", "budget_status"]


class Level(StrEnum):
    """How bad it is, worst first."""

    OVERRUN = "overrun"
    EXPECTED_OVERRUN = "expected overrun"
    AT_RISK = "at risk"
    AHEAD_OF_PLAN = "ahead of plan"
    WITHIN = "within"
    NO_DATA = "no data"


@dataclass(frozen=True, slots=True)
class Attribution:
    """Contributions to the difference between actual and plan by one view; they sum to it exactly.

    reference   what each contribution is compared with: "area budgets", or "last year's shares of the plan"
    """

    by: By
    reference: str
    contributions: tuple[Contribution, ...]


@dataclass(frozen=True, slots=True)
class LineStatus:
    """One budget line.

    forecast       of the year's total; None for an intensity, or where the profile gives no ratio
    used_up_in     first month to come in which the forecast passes the budget
    effects        actual less plan by volume and intensity; None where no volume was planned or produced
    """

    burn: BurnDown
    forecast: Forecast | None
    level: Level
    used_up_in: str | None
    attributions: tuple[Attribution, ...]
    effects: Effects | None


def budget_status(budget: Budget, actuals: Actuals, last_year: Actuals | None = None) -> tuple[LineStatus, ...]:
    """The status of every line, in the order of the budget.

    last_year   actuals of the year before: profile of the forecast, and reference of sources and carriers
    Raises ControlError for actuals with a hole or of another year.
    """
    return tuple(_status(line, budget, actuals, last_year) for line in budget.lines)


def _status(line: BudgetLine, budget: Budget, actuals: Actuals, last_year: Actuals | None) -> LineStatus:
    burn = burn_down(line, budget, actuals)
    # A misspelt area must not look like one that emits nothing.
    known = not line.area or any(row.area == line.area for row in actuals.rows)
    found = _forecast(burn, budget, last_year) if line.basis is Basis.TOTAL and known else None
    return LineStatus(
        burn=burn,
        forecast=found,
        level=_level(burn, found, budget.tolerance) if known else Level.NO_DATA,
        used_up_in=_used_up(burn, found, budget),
        attributions=tuple(_attributions(burn, budget, actuals, last_year)),
        effects=_effects(burn, budget, actuals),
    )


def _forecast(burn: BurnDown, budget: Budget, last_year: Actuals | None) -> Forecast | None:
    actual = [point.actual_g or 0 for point in burn.points[: burn.finished]]
    profiles: list[tuple[str, Sequence[Fraction]]] = [("plan", burn.line.months)]
    if last_year is not None:
        before = last_year.by_month(burn.line.area)
        months = [f"{budget.year - 1:04}{month[4:]}" for month in budget.months]
        if all(before.get(month, 0) > 0 for month in months):
            profiles.insert(0, ("last year", [Fraction(before[month]) for month in months]))
    for name, profile in profiles:
        try:
            return forecast(actual, profile, name)
        except ControlError:
            continue
    return None


def _level(burn: BurnDown, found: Forecast | None, tolerance: Fraction) -> Level:
    if not burn.finished or burn.plan_g is None:
        return Level.NO_DATA
    total = burn.line.basis is Basis.TOTAL
    limit = burn.line.annual if total else burn.plan_g
    if burn.actual_g > limit:
        return Level.OVERRUN
    if found is not None and found.expected_g > limit:
        return Level.EXPECTED_OVERRUN
    if found is not None and found.high_g is not None and found.high_g > limit:
        return Level.AT_RISK
    return Level.AHEAD_OF_PLAN if burn.actual_g > burn.plan_g * (1 + tolerance) else Level.WITHIN


def _used_up(burn: BurnDown, found: Forecast | None, budget: Budget) -> str | None:
    if found is None:
        return None
    at = Fraction(burn.actual_g)
    for month, grams in zip(budget.months[burn.finished :], found.months_g, strict=False):
        at += grams
        if at > burn.line.annual >= burn.actual_g:
            return month
    return None


def _attributions(burn: BurnDown, budget: Budget, actuals: Actuals, last_year: Actuals | None) -> list[Attribution]:
    line, plan = burn.line, burn.plan_g
    if not burn.finished or plan is None:
        return []
    months = budget.months[: burn.finished]
    found: list[Attribution] = []
    if (areas := _area_plans(burn, budget)) is not None:
        actual = grams_by(actuals.rows, "area", months)
        own = {name: actual.get(name, 0) for name in areas if name}
        rest = sum(actual.values()) - sum(own.values())
        found.append(Attribution("area", "area budgets", attribute({**own, "": rest}, areas)))
    if last_year is not None:
        before = [f"{budget.year - 1:04}{month[4:]}" for month in months]
        views: tuple[By, ...] = ("source", "carrier") if line.area or areas else ("source", "area", "carrier")
        for view in views:
            shares = scaled_reference(grams_by(last_year.rows, view, before, line.area), plan)
            if shares is not None:
                actual = grams_by(actuals.rows, view, months, line.area)
                found.append(Attribution(view, "last year's shares of the plan", attribute(actual, shares)))
    return found


def _area_plans(burn: BurnDown, budget: Budget) -> dict[str, Fraction] | None:
    """Plans of the areas' own totals for the finished months, and ("") what the site's plan leaves to the rest."""
    if burn.line.area or burn.line.basis is not Basis.TOTAL or burn.plan_g is None:
        return None
    plans = {
        line.area: sum(line.months[: burn.finished], Fraction(0))
        for line in budget.lines
        if line.area and line.basis is Basis.TOTAL
    }
    return {**plans, "": burn.plan_g - sum(plans.values(), Fraction(0))} if plans else None


def _effects(burn: BurnDown, budget: Budget, actuals: Actuals) -> Effects | None:
    planned, plan = burn.line.volume, burn.plan_g
    if planned is None or plan is None or not burn.finished:
        return None
    volume = actuals.volume(planned.basis, planned.product, budget.months[: burn.finished])
    if volume is None:
        return None
    return effects(burn.actual_g, volume, plan, sum(planned.months[: burn.finished], Fraction(0)))
