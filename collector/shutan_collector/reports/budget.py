"""Carbon budgets (碳预算) in a report: where each line stands after its months, as a table and as burn-down."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from shutan_collector.carbon.lines import Scope
from shutan_collector.control.actuals import Basis
from shutan_collector.control.status import Level, budget_status
from shutan_collector.control.summaries import actuals_of
from shutan_collector.reports.emissions import SCOPE_NAMES
from shutan_collector.reports.page import Plot
from shutan_collector.reports.plots.burndown import Forecast, draw_burndown
from shutan_collector.reports.table import Both, Column, Row, Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shutan_collector.accounting.summary import MonthSummary
    from shutan_collector.control.budget import Budget
    from shutan_collector.control.status import LineStatus

__all__ = ["BudgetStanding", "budget_plots", "budget_standing", "budget_table"]

_G_PER_T: Final = 1_000_000
_LEVELS: Final = {
    Level.OVERRUN: Both("已超支", "overrun"),
    Level.EXPECTED_OVERRUN: Both("预计超支", "expected overrun"),
    Level.AT_RISK: Both("有超支风险", "at risk"),
    Level.AHEAD_OF_PLAN: Both("快于计划", "ahead of plan"),
    Level.WITHIN: Both("预算内", "within"),
    Level.NO_DATA: Both("无数据", "no data"),
}


@dataclass(frozen=True, slots=True)
class BudgetStanding:
    """A budget after the months given; `method` is the scope that bought electricity counts by."""

    name: str
    year: int
    covers: str
    method: Scope
    lines: tuple[LineStatus, ...]


def budget_standing(budget: Budget, months: Sequence[MonthSummary], method: Scope) -> BudgetStanding:
    """Where a budget stands. Raises ControlError for months of another year or with a hole."""
    scopes = frozenset({Scope.SCOPE_1, Scope.SCOPE_2_HEAT, method})
    return BudgetStanding(
        budget.name, budget.year, budget.covers, method, budget_status(budget, actuals_of(months, scopes))
    )


def budget_table(standing: BudgetStanding | None) -> Table:
    """One row a budget line."""
    columns = (
        Column(Both("预算", "budget"), width=20),
        Column(Both("单位", "unit"), width=10),
        Column(Both("全年", "year"), places=6, width=16),
        Column(Both("已排放", "emitted"), "tCO2e", 6, 16),
        Column(Both("计划至今", "planned so far"), "tCO2e", 6, 16),
        Column(Both("剩余", "left"), "tCO2e", 6, 16),
        Column(Both("预计全年", "forecast"), "tCO2e", 3, 14),
        Column(Both("90 % 区间", "interval"), "tCO2e", width=20),
        Column(Both("状态", "state"), width=16),
    )
    title = Both("碳预算", "Carbon budget")
    if standing is None:
        return Table("budget", title, columns, (), (Both("未提供碳预算。", "No carbon budget was given."),))
    rows = tuple(_row(item) for item in standing.lines)
    method = SCOPE_NAMES[standing.method]
    covers = standing.covers or "范围一、热力与电力"
    notes = (Both(f"{standing.name}；口径：{covers}，电力按 {method.zh}", f"scope 1, heat, and {method.en}"),)
    return Table("budget", title, columns, rows, notes)


def _row(item: LineStatus) -> Row:
    line, found = item.burn.line, item.forecast
    name = f"{line.key} ({line.area})" if line.area else line.key
    left = line.annual - item.burn.actual_g if line.basis is Basis.TOTAL else None
    interval = None
    if found is not None and found.low_g is not None and found.high_g is not None:
        interval = f"{_shown(found.low_g)} – {_shown(found.high_g)}"
    return Row((
        name, line.unit, line.shown(line.annual), _t(item.burn.actual_g), _t(item.burn.plan_g), _t(left),
        _t(found.expected_g if found else None), interval, _LEVELS[item.level],
    ))  # fmt: skip


def budget_plots(standing: BudgetStanding | None, family: str) -> tuple[Plot, ...]:
    """A burn-down for each budget of a total."""
    if standing is None:
        return ()
    totals = [item for item in standing.lines if item.burn.line.basis is Basis.TOTAL]
    return tuple(
        Plot(
            f"budget-{number}",
            Both(f"碳预算燃尽图 {item.burn.line.key}", "Burn-down of the carbon budget"),
            _burndown(item, family),
            _notes(item),
        )
        for number, item in enumerate(totals, start=1)
    )


def _burndown(item: LineStatus, family: str) -> str:
    used = [None if point.actual_g is None else Fraction(point.actual_g, _G_PER_T) for point in item.burn.points]
    labels = [f"{number}月" for number in range(1, len(used) + 1)]
    found = item.forecast
    forecast = None
    if found is not None and item.burn.finished < len(used):
        low, high = found.low_g or found.expected_g, found.high_g or found.expected_g
        forecast = Forecast(found.expected_g / _G_PER_T, low / _G_PER_T, high / _G_PER_T)
    return draw_burndown(labels, used, item.burn.line.annual / _G_PER_T, forecast, "tCO2e", family)


def _notes(item: LineStatus) -> tuple[Both, ...]:
    notes = [Both(f"{_LEVELS[item.level].zh}。", f"{_LEVELS[item.level].en}.")]
    if item.used_up_in:
        notes.append(Both(f"预计 {item.used_up_in} 用尽。", f"expected to be used up in {item.used_up_in}."))
    return tuple(notes)


def _t(grams: Fraction | int | None) -> Fraction | None:
    return None if grams is None else Fraction(grams) / _G_PER_T


def _shown(grams: Fraction) -> str:
    return f"{round(grams / _G_PER_T):,}"
