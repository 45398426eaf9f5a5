"""Planned against actual, month by month and cumulated (消耗曲线); all in grams, all exact.

Total: the plan of a month is its budget. Intensity: the plan is what the month's volume was allowed to emit, limit ×
volume, so that total and intensity are followed on the same curve; a month without a volume has no plan.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from shutan_collector.control.actuals import Basis
from shutan_collector.errors import ControlError, Problem

if TYPE_CHECKING:
    from shutan_collector.control.actuals import Actuals
    from shutan_collector.control.budget import Budget, BudgetLine

__all__ = ["BurnDown", "Point", "burn_down", "finished_months"]


@dataclass(frozen=True, slots=True)
class Point:
    """One month of a budget.

    plan_g, plan_sum_g         of the month, and from January on; None where an intensity has no volume
    actual_g, actual_sum_g     None for a month that is not finished
    left_g                     of the year's budget after this month; None for an intensity
    """

    month: str
    plan_g: Fraction | None
    actual_g: int | None
    plan_sum_g: Fraction | None
    actual_sum_g: int | None
    left_g: Fraction | None


@dataclass(frozen=True, slots=True)
class BurnDown:
    """The twelve months of one budget line; `finished` of them have an emission."""

    line: BudgetLine
    points: tuple[Point, ...]
    finished: int

    @property
    def actual_g(self) -> int:
        """Emitted so far."""
        return sum(point.actual_g or 0 for point in self.points)

    @property
    def plan_g(self) -> Fraction | None:
        """Allowed for the finished months."""
        return self.points[self.finished - 1].plan_sum_g if self.finished else Fraction(0)

    @property
    def difference_g(self) -> Fraction | None:
        """Actual less plan of the finished months: above zero is an overrun."""
        return None if self.plan_g is None else self.actual_g - self.plan_g


def finished_months(budget: Budget, actuals: Actuals) -> int:
    """How many months are finished: January to the last month with an emission.

    Raises ControlError for a month outside the year, or one that is missing in between: a hole is not a zero.
    """
    there = actuals.months()
    problems = [
        Problem(month, f"is not a month of the budget year {budget.year}")
        for month in there
        if month not in budget.months
    ]
    count = budget.months.index(there[-1]) + 1 if there and not problems else 0
    problems += [
        Problem(month, f"has no emission, but {there[-1]} has; a budget needs every month from January on")
        for month in budget.months[:count]
        if month not in there
    ]
    if problems:
        raise ControlError("actuals", tuple(problems))
    return count


def burn_down(line: BudgetLine, budget: Budget, actuals: Actuals) -> BurnDown:
    """The months of one line. Raises ControlError as `finished_months` does."""
    finished = finished_months(budget, actuals)
    emitted = actuals.by_month(line.area)
    points: list[Point] = []
    plan_sum: Fraction | None = Fraction(0)
    actual_sum = 0
    for number, month in enumerate(budget.months):
        plan = _plan(line, actuals, number, month)
        plan_sum = None if plan is None or plan_sum is None else plan_sum + plan
        actual = emitted.get(month, 0) if number < finished else None
        actual_sum += actual or 0
        left = line.annual - actual_sum if line.basis is Basis.TOTAL and actual is not None else None
        points.append(Point(month, plan, actual, plan_sum, None if actual is None else actual_sum, left))
    return BurnDown(line, tuple(points), finished)


def _plan(line: BudgetLine, actuals: Actuals, number: int, month: str) -> Fraction | None:
    if line.basis is Basis.TOTAL:
        return line.months[number]
    volume = actuals.volume(line.basis, line.product, (month,))
    return None if volume is None else line.months[number] * volume
