"""Tables of energy that several reports print: consumption by carrier with coefficients, time-of-use and demand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from shutan_collector.exact import exact_text
from shutan_collector.reports.table import Both, Column, NoData, Row, Table
from shutan_collector.site.tariff import Band
from shutan_collector.units import decimal_text

if TYPE_CHECKING:
    from fractions import Fraction

    from shutan_collector.reports.consumption import CarrierUse, Consumption
    from shutan_collector.reports.table import Cell

__all__ = ["BAND_NAMES", "carrier_table", "coefficient_cell", "tce_cell"]

BAND_NAMES: Final = {
    Band.SHARP: Both("尖", "critical peak"),
    Band.PEAK: Both("峰", "peak"),
    Band.FLAT: Both("平", "flat"),
    Band.VALLEY: Both("谷", "valley"),
    Band.DEEP_VALLEY: Both("深谷", "deep valley"),
}
_NO_PRIMARY: Final = NoData(Both("未给出等价值", "the primary equivalent is not stated in the site model"))


def carrier_table(used: Consumption) -> Table:
    """Consumption by carrier in customary units and in tce, 当量值 and 等价值 side by side."""
    columns = (
        Column(Both("能源品种", "carrier"), width=22),
        Column(Both("消费量", "consumption"), places=6, width=18),
        Column(Both("单位", "unit"), width=8),
        Column(Both("折标系数", "coefficient"), width=18),
        Column(Both("当量值", "calorific"), "tce", 6, 16),
        Column(Both("等价值", "primary"), "tce", 6, 16),
        Column(Both("系数来源", "source"), width=20),
    )
    rows = [
        Row((
            item.name, item.used, item.unit, coefficient_cell(item), tce_cell(item), _primary(item, item.tce_primary),
            item.coefficient_source or None,
        ))
        for item in used.carriers
    ]  # fmt: skip
    total: Cell = used.tce
    rows.append(
        Row(
            (
                Both("综合能耗", "comprehensive consumption"), None, None, None, total,
                _NO_PRIMARY if used.tce_primary is None else used.tce_primary, None,
            ),
            total=True,
            mark="" if used.complete else "不完整",
        )
    )  # fmt: skip
    notes = [
        Both(
            f"GB/T 2589-{used.edition}；当量值与等价值不得混用。自产蒸汽、压缩空气等不重复计入。",
            "Calorific and primary equivalent are never mixed. What is made on site out of metered energy "
            "is not counted again.",
        )
    ]
    if used.primary_source:
        notes.append(Both(f"等价值来源：{used.primary_source}", "Source of the primary equivalent as stated."))
    notes += [Both(f"{item.name.zh}：{item.missing.zh}", item.missing.en) for item in used.carriers if item.missing]
    return Table("carriers", Both("综合能耗", "Energy consumption by carrier"), columns, tuple(rows), tuple(notes))


def coefficient_cell(item: CarrierUse) -> Cell:
    """Coefficient with its unit, as printed."""
    if item.coefficient is None:
        if item.tce is None:
            return NoData(item.missing or Both("", ""))
        return Both("分月", "by month") if item.tce else None
    text = exact_text(item.coefficient)
    if "/" in text:  # a calorific value over 29.3076 does not end
        text = decimal_text(item.coefficient, 6)
    return f"{text} {item.coefficient_unit}"


def tce_cell(item: CarrierUse) -> Cell:
    """Standard coal, or what is missing for it."""
    return item.tce if item.tce is not None else NoData(item.missing or Both("无折标系数", "no coefficient"))


def _primary(item: CarrierUse, value: Fraction | None) -> Cell:
    if value is not None:
        return value
    return _NO_PRIMARY if item.electric else tce_cell(item)
