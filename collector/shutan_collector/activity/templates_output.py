"""Templates of output, value added, land, and what suppliers say about their materials."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Final

from shutan_collector.activity.columns import Choice, Column, Context, Finding, Template, Type, Values
from shutan_collector.activity.common import KEY, tail
from shutan_collector.activity.quantity import AREA_M2, MONEY_WAN, PERCENT
from shutan_collector.activity.rows import LandArea, Production, SupplierInput, ValueAdded

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["OUTPUT_TEMPLATES"]

_ITEM_UNITS: Final = (
    Choice("piece", ("件", "个", "台", "只")),
    Choice("bottle", ("瓶",)),
    Choice("case", ("箱",)),
    Choice("kg", ("千克", "公斤")),
    Choice("t", ("吨",)),
    Choice("L", ("升",)),
    Choice("kL", ("千升",)),
    Choice("m", ("米",)),
    Choice("m2", ("平方米",)),
    Choice("m3", ("立方米",)),
    Choice("kWh", ("千瓦时",)),
)


def _production(values: Values, _context: Context) -> Iterator[Finding]:
    if values.instant("end") <= values.instant("start"):
        yield "end", "is not after start; it is the first instant after the batch"


OUTPUT_TEMPLATES: Final = (
    Template(
        Production,
        "Production",
        "产量",
        "One row per batch and asset or line; end is the first instant after the batch.",
        (
            KEY,
            Column("product", "产品", Type.TEXT, "baijiu-500"),
            Column("batch", "批次", Type.TEXT, "B-20250605-1"),
            Column("start", "开始时间", Type.MOMENT, "2025-06-05 08:00", field="start_ns"),
            Column("end", "结束时间", Type.MOMENT, "2025-06-05 16:00", field="end_ns"),
            Column("asset", "设备", Type.TEXT, "filler-1"),
            Column("line", "产线", Type.TEXT, "L1"),
            Column("good", "合格数", Type.NUMBER, "11800"),
            Column("scrap", "废品数", Type.NUMBER, "64"),
            Column("unit", "单位", Type.UNIT, "bottle", choices=_ITEM_UNITS),
            *tail("MES"),
        ),
        _production,
    ),
    Template(
        ValueAdded,
        "Industrial value added",
        "工业增加值",
        "One row a month.",
        (
            KEY,
            Column("month", "月份", Type.MONTH, "2025-06"),
            Column("value", "工业增加值", Type.NUMBER, "860.5", units=MONEY_WAN, field="wan_yuan", low=None),
            *tail("ledger 6"),
        ),
        unique=("month",),
    ),
    Template(
        LandArea,
        "Land area",
        "用地面积",
        "Land used from a day on, until the next row.",
        (
            KEY,
            Column("start", "起始日", Type.DAY, "2024-01-01"),
            Column("area", "面积", Type.NUMBER, "66667", units=AREA_M2, field="area_m2"),
            *tail("deed 17"),
        ),
        unique=("start",),
    ),
    Template(
        SupplierInput,
        "Supplier's carbon data",
        "供应商碳数据",
        "Cradle-to-gate carbon of a material, and how much of it one unit of product takes.",
        (
            KEY,
            Column("product", "产品", Type.TEXT, "baijiu-500"),
            Column("material", "物料", Type.TEXT, "glass bottle 500 mL"),
            Column("quantity", "单位产品用量", Type.NUMBER, "0.42", field="quantity_per_unit"),
            Column("unit", "单位", Type.UNIT, "kg", choices=_ITEM_UNITS),
            Column(
                "factor",
                "单位物料碳足迹 kgCO2e",
                Type.NUMBER,
                "0.98",
                field="kg_co2e_per_unit",
                low=None,
                note="below zero only for biogenic uptake that is stated so",
            ),
            Column("geography", "地域", Type.TEXT, "CN-SC"),
            Column("year", "数据年份", Type.YEAR, "2024"),
            Column("primary", "一级数据", Type.FLAG, "yes"),
            Column(
                "uncertainty",
                "不确定度",
                Type.NUMBER,
                "10",
                required=False,
                units=PERCENT,
                field="uncertainty_pct",
                high=Fraction(1000),
            ),
            *tail("EPD 2024-31"),
        ),
    ),
)
