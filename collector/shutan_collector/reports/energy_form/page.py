"""The energy form as tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from shutan_collector.reports.energy_tables import carrier_table, coefficient_cell, tce_cell
from shutan_collector.reports.page import KeyFigure, Page, Plot
from shutan_collector.reports.plots.bars import Layer, draw_bars
from shutan_collector.reports.plots.sankey import COLOURS
from shutan_collector.reports.table import Both, Column, NoData, Row, Table

if TYPE_CHECKING:
    from fractions import Fraction

    from shutan_collector.reports.consumption import CarrierUse
    from shutan_collector.reports.energy_form.build import EnergyFormModel
    from shutan_collector.reports.table import Cell

__all__ = ["TITLE", "energy_form_page"]

TITLE: Final = Both("能源购进、消费与库存表", "Energy purchased, consumed and in stock")
_NO_PRIMARY: Final = NoData(Both("未给出等价值", "the primary equivalent is not stated in the site model"))


def energy_form_page(model: EnergyFormModel) -> Page:
    """Everything the form prints."""
    used = model.consumption
    mark = "" if used.complete else "不完整"
    primary = used.tce_primary
    return Page(
        folder="energy_form",
        title=TITLE,
        heading=model.heading,
        figures=(
            KeyFigure(Both("综合能耗(当量值)", "consumption, calorific"), used.tce, "tce", 3, mark),
            KeyFigure(
                Both("综合能耗(等价值)", "consumption, primary"), _NO_PRIMARY if primary is None else primary, "tce", 3,
                mark,
            ),
            KeyFigure(Both("用电量", "electricity used"), used.electricity_kwh, "kWh", 3),
        ),
        tables=(_form(model), _months(model), carrier_table(used)),
        plots=lambda family: _plots(model, family),
    )  # fmt: skip


def _form(model: EnergyFormModel) -> Table:
    columns = (
        Column(Both("能源名称", "energy"), width=20),
        Column(Both("计量单位", "unit"), width=9),
        Column(Both("期初库存", "opening stock"), places=6, width=14),
        Column(Both("购进量", "purchased"), places=6, width=16),
        Column(Both("自产量", "generated"), places=6, width=14),
        Column(Both("外供量", "handed out"), places=6, width=14),
        Column(Both("期末库存", "closing stock"), places=6, width=14),
        Column(Both("消费量", "consumed"), places=6, width=16),
        Column(Both("折标系数", "coefficient"), width=16),
        Column(Both("当量值", "calorific"), "tce", 6, 15),
        Column(Both("等价值", "primary"), "tce", 6, 15),
    )
    used = model.consumption
    rows = [
        Row((
            item.name, item.unit, item.opening, item.purchased or None, item.generated or None, item.handed_out or None,
            item.closing,
            item.used, coefficient_cell(item), tce_cell(item), _primary(item),
        ))
        for item in used.carriers
    ]  # fmt: skip
    blank: tuple[Cell, ...] = (None,) * 8
    total = _NO_PRIMARY if used.tce_primary is None else used.tce_primary
    label = Both("能源合计", "total")
    rows.append(Row((label, *blank, used.tce, total), total=True, mark="" if used.complete else "不完整"))
    notes = (
        Both(
            "消费量 = 期初库存 + 购进量 + 自产量 − 外供量 − 期末库存；管网与电网供应无库存。",
            "Consumed = opening stock + purchased + generated - handed out - closing stock; "
            "what comes through pipes and wires has no stock.",
        ),
        *(Both(f"{item.name.zh}：{item.missing.zh}", item.missing.en) for item in used.carriers if item.missing),
    )
    return Table("form", TITLE, columns, tuple(rows), notes)


def _primary(item: CarrierUse) -> Cell:
    if item.tce_primary is not None:
        return item.tce_primary
    return _NO_PRIMARY if item.electric else tce_cell(item)


def _months(model: EnergyFormModel) -> Table:
    carriers = model.consumption.carriers
    columns = (
        Column(Both("月份", "month"), width=12),
        *(Column(item.name, item.unit, 6, 18) for item in carriers),
        Column(Both("综合能耗(当量值)", "calorific"), "tce", 6, 18),
    )
    lacking = NoData(Both("期初或期末无表底", "no register at an end of the month"))

    def cell(value: Fraction | None, *, known: bool) -> Cell:
        return lacking if value is None and known else value

    rows = tuple(
        Row(
            (
                month.period,
                *(cell(dict(month.used).get(item.key), known=item.key in dict(month.used)) for item in carriers),
                month.tce,
            ),
            mark="" if month.complete else "不完整",
        )
        for month in model.months
    )
    total = Row((Both("合计", "total"), *(item.used for item in carriers), model.consumption.tce), total=True)
    return Table("months", Both("逐月消费量", "Consumption by month"), columns, (*rows, total))


def _plots(model: EnergyFormModel, family: str) -> tuple[Plot, ...]:
    if len(model.months) < 2:
        return ()
    kgce = {item.key: item for item in model.consumption.carriers if item.tce and item.used}
    layers = [
        Layer(item.name, tuple(_tce(dict(month.used).get(key), item) for month in model.months), COLOURS.get(key, ""))
        for key, item in kgce.items()
    ]
    labels = [f"{int(month.period[-2:])}月" for month in model.months]
    svg = draw_bars(labels, layers, "tce", family)
    return (Plot("by-month", Both("逐月综合能耗(当量值)", "Consumption by month, calorific"), svg),)


def _tce(used: Fraction | None, item: CarrierUse) -> Fraction | None:
    """A month's share of the carrier's standard coal, by its physical quantity."""
    return None if used is None or item.tce is None or not item.used else item.tce * used / item.used
