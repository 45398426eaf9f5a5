"""The monthly report as key figures, tables and plots."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Final

from shutan_collector.carbon.lines import Scope
from shutan_collector.reports.budget import budget_plots, budget_table
from shutan_collector.reports.carbon_tables import (
    factor_table,
    marks_of,
    memo_table,
    method_table,
    source_table,
    unvalued_table,
)
from shutan_collector.reports.energy_tables import carrier_table
from shutan_collector.reports.flow import draw_flow
from shutan_collector.reports.monthly.energy import (
    balance_table,
    band_table,
    completeness_table,
    demand_table,
    meter_table,
)
from shutan_collector.reports.page import KeyFigure, Page, Plot
from shutan_collector.reports.plots.heatmap import draw_heatmap
from shutan_collector.reports.table import Both, Column, NoData, Row, Table

if TYPE_CHECKING:
    from shutan_collector.reports.monthly.build import Change, MonthlyModel
    from shutan_collector.reports.monthly.load import Load

__all__ = ["TITLE", "monthly_page"]

TITLE: Final = Both("月度能源与碳排放报告", "Monthly energy and carbon report")
_WH_PER_KWH: Final = 1000
_CHANGE_NAMES: Final = {
    "tce": Both("综合能耗(当量值)", "energy consumption, calorific"),
    f"total_{Scope.SCOPE_2_LOCATION.value}": Both("碳排放 基于位置", "emissions, location-based"),
    f"total_{Scope.SCOPE_2_MARKET.value}": Both("碳排放 基于市场", "emissions, market-based"),
    f"total_{Scope.SCOPE_2_REPORTING.value}": Both("碳排放 报告规定因子", "emissions, reporting default"),
}


def monthly_page(model: MonthlyModel) -> Page:
    """Everything the report prints."""
    by_scope = dict(model.scope_g)
    return Page(
        folder="monthly",
        title=TITLE,
        heading=model.heading,
        figures=_figures(model),
        tables=(
            method_table(by_scope.get(Scope.SCOPE_1, 0), by_scope.get(Scope.SCOPE_2_HEAT, 0), model.methods),
            source_table(model.sources),
            memo_table(model.sources),
            carrier_table(model.consumption),
            meter_table(model),
            balance_table(model),
            band_table(model),
            demand_table(model),
            completeness_table(model),
            unvalued_table(model.unvalued),
            _changes(model),
            budget_table(model.budget),
            factor_table(model.factors),
        ),
        plots=lambda family: _plots(model, family),
    )


def _figures(model: MonthlyModel) -> tuple[KeyFigure, ...]:
    """Six figures: carbon by method, energy, electricity, unaccounted share."""
    marks = marks_of(provisional=model.heading.provisional, estimated=model.heading.estimated)
    short = "" if model.heading.complete else "不完整"
    figures = [
        KeyFigure(_CHANGE_NAMES[f"total_{item.scope.value}"], Fraction(item.total_g, 1_000_000), "tCO2e", 3,
                  f"{marks} {short}".strip())
        for item in model.methods
    ]  # fmt: skip
    used = model.consumption
    figures.append(
        KeyFigure(
            Both("综合能耗(当量值)", "energy consumption, calorific"), used.tce, "tce", 3,
            "" if used.complete else "不完整",
        )
    )  # fmt: skip
    figures.append(
        KeyFigure(Both("用电量", "electricity used"), used.electricity_kwh, "kWh", 3)
        if used.electricity_kwh
        else KeyFigure(Both("用电量", "electricity used"), NoData(Both("无电表", "no meter")), "kWh", 3)
    )
    figures.append(KeyFigure(Both("未计量能源", "unaccounted energy"), model.flow.unaccounted_tce, "tce", 3))
    return tuple(figures)


def _changes(model: MonthlyModel) -> Table:
    columns = (
        Column(Both("指标", "figure"), width=36),
        Column(Both("单位", "unit"), width=10),
        Column(Both("上月", "month before"), model.before, 6, 20),
        Column(Both("本月", "this month"), model.heading.period, 6, 20),
        Column(Both("变化", "change"), places=6, width=20),
        Column(Both("变化率", "change"), "%", 2, 12),
    )
    names = {item.key: item.name for item in model.consumption.carriers} | _CHANGE_NAMES
    rows = tuple(
        Row(
            (names.get(item.key, Both("", item.key)), item.unit, item.before, item.now, _difference(item), item.percent)
        )
        for item in model.changes
    )
    notes = () if model.before else (Both("未提供上月数据。", "No month of comparison was given."),)
    return Table("changes", Both("与上月比较", "Comparison with the month before"), columns, rows, notes)


def _difference(item: Change) -> Fraction | None:
    return None if item.before is None or item.now is None else item.now - item.before


def _plots(model: MonthlyModel, family: str) -> tuple[Plot, ...]:
    plots: list[Plot] = []
    if model.flow.bands:
        plots.append(
            Plot("flow", Both("能流图", "Energy flow"), draw_flow(model.flow, family), tuple(_flow_notes(model)))
        )
    plots += [
        Plot(
            f"load-{number}",
            Both(f"负荷热力图 {load.meter}", "Load by hour and day"),
            _heatmap(load, family),
            (Both("每格为一小时用电量。", "Each cell is the energy of one hour."),),
        )
        for number, load in enumerate(model.loads, start=1)
        if load.hours
    ]
    return (*plots, *budget_plots(model.budget, family))


def _flow_notes(model: MonthlyModel) -> list[Both]:
    notes = [
        Both(
            "按当量值折算；斜纹为未计量或转换损失。",
            "Calorific equivalents; hatched: unaccounted or lost in conversion.",
        )
    ]
    if model.flow.left_out:
        names = ", ".join(model.flow.left_out)
        notes.append(Both(f"未列入：{names}", "left out: no figure or no coefficient"))
    if model.flow.overdrawn:
        notes.append(Both(f"下级之和大于上级：{', '.join(model.flow.overdrawn)}", "more was used behind than supplied"))
    return notes


def _heatmap(load: Load, family: str) -> str:
    hours = 24
    values = {divmod(number, hours): value for number, (_, value) in enumerate(load.hours)}
    days = [str(day) for day in range(1, (len(load.hours) + hours - 1) // hours + 1)]
    return draw_heatmap(days, values, "kWh", family, _WH_PER_KWH)
