"""Budgets, deadlines and allowances for a terminal and as JSON; exact numbers are text."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Final

from rich.table import Table
from rich.text import Text

from shutan_collector.control.actuals import Basis
from shutan_collector.control.forecast import CONFIDENCE
from shutan_collector.control.status import Level
from shutan_collector.exact import exact_text
from shutan_collector.units import decimal_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from shutan_collector.control.allowance import Position
    from shutan_collector.control.budget import Budget
    from shutan_collector.control.deadlines import Due
    from shutan_collector.control.status import Attribution, LineStatus

__all__ = [
    "allowance_document",
    "allowance_table",
    "budget_document",
    "budget_tables",
    "deadlines_document",
    "deadlines_table",
]

_LEVELS: Final = {
    Level.OVERRUN: ("overrun 已超支", "bold red"),
    Level.EXPECTED_OVERRUN: ("expected overrun 预计超支", "red"),
    Level.AT_RISK: ("at risk 有超支风险", "yellow"),
    Level.AHEAD_OF_PLAN: ("ahead of plan 进度超前", "yellow"),
    Level.WITHIN: ("within 预算内", "green"),
    Level.NO_DATA: ("no data 无数据", "dim"),
}
_GRAMS_PER_T: Final = 1_000_000
_TOP: Final = 5  # contributions a table shows; JSON has all


def budget_document(budget: Budget, statuses: Sequence[LineStatus]) -> dict[str, object]:
    """Every line with its months, forecast, level and attribution; grams, exact."""
    return {
        "schema": "shutan.budget/1",
        "year": budget.year,
        "name": budget.name,
        "covers": budget.covers,
        "lines": [_line_document(status) for status in statuses],
    }


def budget_tables(budget: Budget, statuses: Sequence[LineStatus]) -> Iterator[Table | Text]:
    """One line per budget, then for each that is not within it where the difference comes from."""
    table = Table(title=Text(f"carbon budget 碳排放预算 {budget.name}: {budget.covers}"))
    for heading in ("budget 预算", "limit 限额"):
        table.add_column(heading, overflow="fold")
    for heading in ("plan 计划 t", "actual 实际 t", f"year 全年预测 t ({CONFIDENCE})"):
        table.add_column(heading, justify="right", overflow="fold")
    table.add_column("level 状态", overflow="fold")
    for status in statuses:
        line, burn = status.burn.line, status.burn
        limit = f"{decimal_text(line.shown(line.annual), 3)} {line.unit}"
        what = Text("\n".join(part for part in (line.key, line.area, line.product) if part))
        plan = "-" if burn.plan_g is None else _tonnes(burn.plan_g)
        level, style = _LEVELS[status.level]
        if status.used_up_in:
            level += f"\nused up in 用尽于 {status.used_up_in}"
        table.add_row(what, limit, plan, _tonnes(burn.actual_g), _forecast(status), Text(level, style))
    yield table
    for status in statuses:
        if status.level not in {Level.WITHIN, Level.NO_DATA}:
            yield from _why(status)


def deadlines_document(due: Sequence[Due]) -> dict[str, object]:
    """The next date of each deadline."""
    return {
        "schema": "shutan.deadlines/1",
        "deadlines": [
            {
                "id": item.deadline.id,
                "en": item.deadline.en,
                "zh": item.deadline.zh,
                "period": item.period,
                "day": item.day.isoformat(),
                "days_left": item.days_left,
                "source": item.deadline.source,
                "confidence": item.deadline.confidence,
            }
            for item in due
        ],
    }


def deadlines_table(due: Sequence[Due]) -> Table:
    """The nearest first."""
    table = Table(title="next deadlines 近期期限")
    for heading in ("day 日期", "days left 剩余天数", "period 期间", "what 事项", "confidence 可信度"):
        table.add_column(heading, overflow="fold")
    for item in due:
        text = f"{item.deadline.en} {item.deadline.zh}"
        table.add_row(item.day.isoformat(), str(item.days_left), item.period, text, item.deadline.confidence)
    return table


def allowance_document(position: Position) -> dict[str, object]:
    """The position with the ids of the factor rows; tonnes, exact."""
    return {
        "schema": "shutan.allowance/1",
        "year": position.rules.year,
        "factors": [row.id for row in position.rules.rows],
        "verified": position.holdings.is_verified,
        **{name: None if value is None else exact_text(value) for name, _, value in _position(position)},
        "rate_cut": position.cut,
    }


def allowance_table(position: Position) -> Table:
    """One figure a line, in tonnes."""
    table = Table(title=f"allowance position 配额盈缺 {position.rules.year}, t CO2e")
    table.add_column("figure 项目")
    table.add_column("t", justify="right")
    for name, zh, value in _position(position):
        table.add_row(
            f"{name.removesuffix('_t').replace('_', ' ')} {zh}", "-" if value is None else decimal_text(value, 0)
        )
    return table


def _position(position: Position) -> tuple[tuple[str, str, Fraction | None], ...]:
    own = position.holdings
    return (
        ("surrender_t", "应清缴" if own.is_verified else "应清缴（预计）", position.surrender_t),
        ("pre_allocated_t", "预分配", position.pre_allocated_t),
        ("allocated_low_t", "核定配额下限", position.allocated_low_t),
        ("allocated_high_t", "核定配额上限", position.allocated_high_t),
        ("carried_over_t", "结转", own.carried_over_t),
        ("bought_t", "买入", own.bought_t),
        ("sold_t", "卖出", own.sold_t),
        ("ccer_limit_t", "CCER抵销上限", position.ccer_limit_t),
        ("ccer_counted_t", "CCER抵销", position.ccer_counted_t),
        ("balance_low_t", "盈缺下限", position.balance_low_t),
        ("balance_high_t", "盈缺上限", position.balance_high_t),
    )


def _line_document(status: LineStatus) -> dict[str, object]:
    line, burn, found = status.burn.line, status.burn, status.forecast
    return {
        "key": line.key,
        "area": line.area,
        "basis": line.basis.value,
        "product": line.product,
        "annual": exact_text(line.shown(line.annual)),
        "unit": line.unit,
        "level": status.level.value,
        "finished_months": burn.finished,
        "plan_g": _exact(burn.plan_g),
        "actual_g": burn.actual_g,
        "difference_g": _exact(burn.difference_g),
        "used_up_in": status.used_up_in,
        "months": [
            {
                "month": point.month,
                "plan_g": _exact(point.plan_g),
                "actual_g": point.actual_g,
                "plan_sum_g": _exact(point.plan_sum_g),
                "actual_sum_g": point.actual_sum_g,
                "left_g": _exact(point.left_g),
            }
            for point in burn.points
        ],
        "forecast": None
        if found is None
        else {
            "method": found.method,
            "profile": found.profile,
            "confidence": CONFIDENCE,
            "expected_g": exact_text(found.expected_g),
            "low_g": _exact(found.low_g),
            "high_g": _exact(found.high_g),
        },
        "attribution": [_attribution_document(item) for item in status.attributions],
        "effects": None
        if status.effects is None
        else {
            "volume_g": exact_text(status.effects.volume_g),
            "intensity_g": exact_text(status.effects.intensity_g),
            "unsplit_g": exact_text(status.effects.unsplit_g),
        },
    }


def _attribution_document(item: Attribution) -> dict[str, object]:
    return {
        "by": item.by,
        "reference": item.reference,
        "contributions": [
            {
                "name": part.name,
                "actual_g": part.actual_g,
                "reference_g": exact_text(part.reference_g),
                "difference_g": exact_text(part.difference_g),
            }
            for part in item.contributions
        ],
    }


def _why(status: LineStatus) -> Iterator[Table | Text]:
    difference = status.burn.difference_g
    if difference is None:
        return
    title = f"{status.burn.line.key}: {_tonnes(difference, signed=True)} t against the plan 与计划之差"
    yield Text(title, "bold")
    if status.effects is not None:
        parts = (("volume 产量", status.effects.volume_g), ("intensity 强度", status.effects.intensity_g))
        yield Text("  " + ", ".join(f"{name} {_tonnes(grams, signed=True)} t" for name, grams in parts))
    for item in status.attributions:
        table = Table(title=f"by {item.by}, against {item.reference}")
        table.add_column(item.by, overflow="fold")
        for heading in ("actual 实际 t", "reference 参照 t", "difference 差值 t"):
            table.add_column(heading, justify="right")
        for part in item.contributions[:_TOP]:
            name = part.name or ("the rest 其余" if item.by == "area" else "-")
            cells = (_tonnes(part.actual_g), _tonnes(part.reference_g), _tonnes(part.difference_g, signed=True))
            table.add_row(Text(name), *cells)
        others = item.contributions[_TOP:]
        if others:
            table.add_row(
                f"{len(others)} more 其他",
                _tonnes(sum(part.actual_g for part in others)),
                _tonnes(sum((part.reference_g for part in others), Fraction(0))),
                _tonnes(sum((part.difference_g for part in others), Fraction(0)), signed=True),
            )
        yield table


def _forecast(status: LineStatus) -> str:
    found = status.forecast
    if found is None:
        return "-" if status.burn.line.basis is Basis.TOTAL else _intensity(status)
    text = _tonnes(found.expected_g)
    if found.low_g is not None and found.high_g is not None:
        text += f"\n{_tonnes(found.low_g)} … {_tonnes(found.high_g)}"
    return text


def _intensity(status: LineStatus) -> str:
    """An intensity has no year's total; its share of what was allowed says how it stands."""
    plan = status.burn.plan_g
    return f"{decimal_text(status.burn.actual_g / plan * 100, 1)} % of plan" if plan else "-"


def _tonnes(grams: Fraction | int, *, signed: bool = False) -> str:
    text = decimal_text(Fraction(grams, _GRAMS_PER_T), 1)
    return f"+{text}" if signed and grams > 0 else text


def _exact(value: Fraction | None) -> str | None:
    return None if value is None else exact_text(value)
