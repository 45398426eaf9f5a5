"""The annual greenhouse-gas report as key figures, tables and plots."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Final

from shutan_collector.carbon.lines import Category, Scope
from shutan_collector.carbon.sectors import Kind
from shutan_collector.reports.budget import budget_plots, budget_table
from shutan_collector.reports.carbon_tables import (
    factor_table,
    marks_of,
    memo_table,
    method_table,
    source_table,
    tonnes,
    unvalued_table,
)
from shutan_collector.reports.carriers import CARRIER_NAMES
from shutan_collector.reports.emissions import CATEGORY_NAMES, SCOPE_NAMES
from shutan_collector.reports.page import KeyFigure, Page, Plot
from shutan_collector.reports.plots.bars import Layer, draw_bars
from shutan_collector.reports.table import Both, Column, Row, Table
from shutan_collector.site.model import Role

if TYPE_CHECKING:
    from shutan_collector.reports.ghg_annual.build import GhgModel

__all__ = ["TITLE", "ghg_page"]

TITLE: Final = Both("年度温室气体排放报告", "Annual greenhouse-gas report")
_MONTHS: Final = range(1, 13)
_COLOURS: Final = {
    Category.COMBUSTION: "#8a6bb1",
    Category.PROCESS: "#7f97a3",
    Category.FUGITIVE: "#6f8f3f",
    Category.ELECTRICITY: "#2b6c8f",
    Category.HEAT: "#b5485d",
    Category.WASTEWATER: "#4aa3b5",
    Category.FERMENTATION: "#e0a526",
}
_SHOWN: Final = (
    (Scope.SCOPE_1, Both("范围一", "scope 1")),
    (Scope.SCOPE_2_HEAT, Both("热力", "heat")),
    (Scope.SCOPE_2_LOCATION, Both("电力 基于位置", "location-based")),
    (Scope.SCOPE_2_MARKET, Both("电力 基于市场", "market-based")),
    (Scope.SCOPE_2_REPORTING, Both("电力 报告规定", "reporting default")),
)


def ghg_page(model: GhgModel) -> Page:
    """Everything the report prints."""
    mark = marks_of(provisional=model.heading.provisional, estimated=model.heading.estimated)
    short = "" if model.heading.complete else "不完整"
    figures = tuple(
        KeyFigure(SCOPE_NAMES[item.scope], Fraction(item.total_g, 1_000_000), "tCO2e", 3, f"{mark} {short}".strip())
        for item in model.methods
    )
    return Page(
        folder="ghg_annual",
        title=TITLE,
        heading=model.heading,
        figures=tuple(
            KeyFigure(Both(f"合计 {figure.title.zh.removeprefix('范围二 ')}", "scopes 1 and 2"), figure.value,
                      figure.unit, figure.places, figure.mark)
            for figure in figures
        ),
        tables=(
            _boundary(model),
            _form(model),
            method_table(model.grams(Scope.SCOPE_1), model.grams(Scope.SCOPE_2_HEAT), model.methods),
            source_table(model.sources),
            memo_table(model.sources),
            _months(model),
            budget_table(model.budget),
            unvalued_table(model.unvalued),
            factor_table(model.factors),
        ),
        plots=lambda family: _plots(model, family),
    )  # fmt: skip


def _boundary(model: GhgModel) -> Table:
    columns = (Column(Both("项目", "item"), width=34), Column(Both("内容", "content"), width=90))
    site = model.site
    entries = ", ".join(
        f"{meter.name_zh or meter.name} ({CARRIER_NAMES[meter.carrier].zh})"
        for meter in site.meters
        if meter.role is Role.ENTRY
    )
    rows = (
        Row((Both("报告主体", "organisation"), f"{model.heading.organisation} {model.heading.credit_code}".strip())),
        Row((Both("核算边界", "boundary"), Both(f"{site.name_zh} 全厂", f"the whole site {site.name}"))),
        Row((Both("行业表式", "sector form"), Both(model.form.sector.title_zh, model.form.sector.title_en))),
        Row((Both("依据", "standard"), "; ".join(model.form.sector.standards))),
        Row((Both("电网区域", "grid region"), model.heading.region)),
        Row((Both("燃料缺省值", "fuel defaults"), site.fuel_family)),
        Row((Both("全球变暖潜势", "GWP set"), site.gwp)),
        Row((Both("进厂计量点", "entry meters"), entries or None)),
        Row((Both("缺少的月份", "months missing"), ", ".join(model.missing_months) or Both("无", "none"))),
    )
    return Table("boundary", Both("报告主体与核算边界", "Organisation and boundary"), columns, rows)


def _form(model: GhgModel) -> Table:
    columns = (
        Column(Both("代码", "code"), width=9),
        Column(Both("项目", "item"), width=58),
        Column(Both("气体质量", "mass of gas"), width=34),
        Column(Both("排放量", "emission"), "tCO2e", 6, 20),
    )
    rows = [
        Row(
            (
                row.code, Both(row.title_zh, row.title_en),
                "; ".join(f"{gas} {_mass(grams)} t" for gas, grams in row.gases) or None, tonnes(row.co2e_g),
            ),
            total=row.kind in {Kind.SUM, Kind.TOTAL},
        )
        for row in model.form.rows
    ]  # fmt: skip
    rows += [
        Row(("—", Both(f"表式外：{item.source}", f"no row in the form takes it: {item.source}"), item.gas,
             tonnes(item.co2e_g)), mark="未列入")
        for item in model.form.refused
    ]  # fmt: skip
    method = SCOPE_NAMES[model.form.method.bought]
    notes = [Both(f"电力口径：{method.zh}", f"electricity: {method.en}")]
    notes += [
        Both(
            f"并列披露 {SCOPE_NAMES[item.scope].zh}：{_mass(item.co2e_g)} tCO2e",
            f"beside it: {SCOPE_NAMES[item.scope].en}",
        )
        for item in model.form.beside
    ]
    notes += [Both(f"与行业指南不符：{problem}", "the sector's guideline does not take this choice") for problem in
              model.objections]  # fmt: skip
    if model.form.refused:
        notes.append(
            Both(
                "表式外的排放未列入合计，填报前须处理。",
                "Emissions without a row are in no total: to be settled before filing.",
            )
        )
    title = Both(f"排放量汇总 {model.form.sector.title_zh}", f"Emissions, {model.form.sector.title_en}")
    return Table("form", title, columns, tuple(rows), tuple(notes))


def _mass(grams: int) -> str:
    whole, rest = divmod(grams, 1_000_000)
    return f"{whole:,}.{rest:06}"


def _months(model: GhgModel) -> Table:
    columns = (
        Column(Both("月份", "month"), width=11),
        *(Column(title, "tCO2e", 6, 18) for _, title in _SHOWN),
        Column(Both("结账", "closing"), width=14),
        Column(Both("数据", "data"), width=14),
    )
    rows = tuple(
        Row((
            month.period, *(tonnes(dict(month.scope_g).get(scope)) for scope, _ in _SHOWN),
            Both(f"第{month.version}版", f"version {month.version}") if month.closed else Both("未结账", "not closed"),
            Both("完整", "complete") if month.complete else Both("不完整", "incomplete"),
        ))
        for month in model.months
    )  # fmt: skip
    present = dict(model.scope_g)
    total = Row((Both("全年", "year"), *(tonnes(present.get(scope)) for scope, _ in _SHOWN), None, None), total=True)
    return Table("months", Both("逐月排放量", "Emissions by month"), columns, (*rows, total))


def _plots(model: GhgModel, family: str) -> tuple[Plot, ...]:
    by_number = {int(month.period[-2:]): month for month in model.months}
    labels = [f"{number}月" for number in _MONTHS]
    found = [category for category in Category if any(category in dict(m.by_category) for m in model.months)]
    layers = [
        Layer(
            CATEGORY_NAMES[category],
            tuple(
                tonnes(dict(by_number[number].by_category).get(category)) if number in by_number else None
                for number in _MONTHS
            ),
            _COLOURS[category],
        )
        for category in found
    ]
    scope = SCOPE_NAMES[model.form.method.bought]
    method = Both(f"电力：{scope.zh}", scope.en)
    plots = [
        Plot("by-month", Both("逐月排放", "Emissions by month"), draw_bars(labels, layers, "tCO2e", family), (method,))
    ]
    return (*plots, *budget_plots(model.budget, family))
