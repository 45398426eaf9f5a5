"""The zero-carbon factory sheet as tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from shutan_collector.reports.page import KeyFigure, Page
from shutan_collector.reports.table import Both, Column, NoData, Row, Table

if TYPE_CHECKING:
    from shutan_collector.reports.zero_carbon_factory.build import Indicator, ZeroCarbonModel

__all__ = ["TITLE", "zero_carbon_page"]

TITLE: Final = Both("零碳工厂指标表", "Zero-carbon factory indicators")
_PLACES: Final = 6
_AT_TOP: Final = ("carbon_per_energy_scope2_location", "non_fossil", "collection")


def zero_carbon_page(model: ZeroCarbonModel) -> Page:
    """Everything the sheet prints."""
    known = {item.key: item for item in model.indicators}
    return Page(
        folder="zero_carbon_factory",
        title=TITLE,
        heading=model.heading,
        figures=tuple(
            KeyFigure(known[key].name, known[key].value, known[key].unit, 3) for key in _AT_TOP if key in known
        ),
        tables=(_indicators(model), _missing(model)),
        plots=lambda _family: (),
    )


def _indicators(model: ZeroCarbonModel) -> Table:
    columns = (
        Column(Both("指标", "indicator"), width=44),
        Column(Both("值", "value"), places=_PLACES, width=16),
        Column(Both("单位", "unit"), width=12),
        Column(Both("分子", "numerator"), width=34),
        Column(Both("数值", "value"), places=_PLACES, width=18),
        Column(Both("单位", "unit"), width=9),
        Column(Both("分母", "denominator"), width=30),
        Column(Both("数值", "value"), places=_PLACES, width=18),
        Column(Both("单位", "unit"), width=9),
    )
    rows = tuple(
        Row((
            item.name, item.value, item.unit, item.upper.name, item.upper.value, item.upper.unit, item.lower.name,
            item.lower.value, item.lower.unit,
        ))
        for item in model.indicators
    )  # fmt: skip
    notes = (
        Both(
            "无法计算的指标列为无数据并说明所缺资料，不作推算。非化石能源含已注销绿证与绿电，以外购电量为限。",
            "What cannot be computed says what is missing; nothing is guessed. Non-fossil energy includes retired "
            "certificates and green power, up to the electricity bought.",
        ),
    )
    return Table("indicators", Both("指标", "Indicators"), columns, rows, notes)


def _missing(model: ZeroCarbonModel) -> Table:
    columns = (
        Column(Both("指标", "indicator"), width=50),
        Column(Both("所缺资料", "what is missing"), width=70),
    )
    rows = tuple(
        Row((item.name, value.missing)) for item in model.indicators if isinstance(value := _value(item), NoData)
    )
    return Table("missing", Both("无数据的指标", "Indicators without data"), columns, rows)


def _value(item: Indicator) -> object:
    return item.value
