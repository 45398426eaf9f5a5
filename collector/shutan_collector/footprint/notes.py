"""Remarks on data quality that follow from how a footprint was computed (数据质量说明)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shutan_collector.exact import exact_text
from shutan_collector.footprint.plan import Boundary, IdleRule
from shutan_collector.footprint.result import Component, Note, Stage
from shutan_collector.site.model import Carrier

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from shutan_collector.footprint.inventory import Inventory

__all__ = ["UPSTREAM", "notes_of"]

UPSTREAM = "upstream "  # a supplier row "upstream natural_gas" states what happened before the fuel arrived
_COMBUSTION = "combustion.footprint/1"


def notes_of(inventory: Inventory, components: Sequence[Component]) -> Iterator[Note]:
    """In a fixed order; each code at most once, except one per supplier datum."""
    yield (
        Note(
            "electricity",
            "electricity by the national life-cycle factor; power made on site is not credited",
            "电力采用全国电力碳足迹因子；厂内自发电不作抵减",
        )
        if _has_pv(inventory)
        else Note("electricity", "electricity by the national life-cycle factor", "电力采用全国电力碳足迹因子")
    )
    text = "primary data: the activity was counted on this site or measured by the supplier; shares are by emission"
    yield Note("primary", text, "一级数据：活动数据由本厂计量或由供应商实测，占比按排放量计")
    if any(part.rate.provisional for part in components):
        text = "暂用: a factor of the activity year was not issued at the report date"
        yield Note("provisional", text, "暂用：报告日活动年份因子尚未发布")
    if any(part.estimated for part in components):
        text = "estimated: a register at a boundary lies on the line between two readings"
        yield Note("estimated", text, "估算：某一边界表底按两侧读数线性插值")
    if not all(part.exact for part in components):
        text = "inexact: a register was reset or swapped without a record; an unknown amount passed besides"
        yield Note("inexact", text, "不确切：清零或无换表底数，另有未知用量")
    yield from _of_fuels(components)
    yield from _of_sharing(inventory)
    yield from _of_suppliers(inventory, components)
    if any(part.stage is Stage.INTERMEDIATE for part in components):
        text = "own intermediate products: mean of their batches in the window, not the very batch that was used"
        yield Note("intermediate", text, "自产中间产品：取计量期内各批次平均，非实际所用批次")
    if any(part.biogenic for part in components):
        text = "biogenic carbon is stated apart and is in no total; uptake counts only where a supplier states it"
        yield Note("biogenic", text, "生物源碳单列，不计入合计；吸收量仅在供应商给出时列出")
    text = "land use and land-use change: no input states it, so there is no figure"
    yield Note("land_use", text, "土地利用变化：无数据，不给出数值")


def _has_pv(inventory: Inventory) -> bool:
    return any(meter.carrier is Carrier.PV for meter in inventory.basis.site.meters)


def _of_fuels(components: Sequence[Component]) -> Iterator[Note]:
    fuels = {"natural_gas" for part in components if part.rate.formula == _COMBUSTION}
    stated = {part.name.removeprefix(UPSTREAM) for part in components if part.name.startswith(UPSTREAM)}
    for fuel in sorted(fuels - stated):
        yield Note(
            "upstream_excluded",
            f"{fuel}: combustion only; extraction, processing and transport are not included, no supplier states them",
            f"{fuel}：仅含燃烧排放；无供应商数据，不含开采、加工与运输",
        )
    if any(part.stage is Stage.SHARED and part.source.startswith("activity:") for part in components):
        text = "documents: direct emissions of the month's ledger lines; upstream of fuels is not included"
        yield Note("documents", text, "单据：取本月台账的直接排放，不含燃料上游")
    if any(part.rate.formula == "heat.footprint/1" for part in components):
        text = "purchased heat: recommended CO2 factor of the accounting guidelines, not a life-cycle factor"
        yield Note("heat", text, "外购热力：采用核算指南推荐的CO2因子，非生命周期因子")


def _of_sharing(inventory: Inventory) -> Iterator[Note]:
    text = "scrap: its burden stays with the good output; materials are counted for good and scrap"
    yield Note("scrap", text, "废品负担由合格品承担；物料按合格与废品之和计")
    outside = [line for pool in inventory.pools for line in pool.outside]
    if outside:
        text = f"gases outside the seven are left out: {', '.join(outside)}"
        yield Note("outside", text, f"七种温室气体以外的气体未计入：{'、'.join(outside)}")
    plan = inventory.basis.plan
    if any(pool.unattributed for pool in inventory.pools):
        text = "a part of the shared loads is attributed to no batch; it is listed"
        yield Note("unattributed", text, "部分公用负荷未分摊至任何批次，已列示")
    if any(asset.idle is IdleRule.UNATTRIBUTED for asset in plan.assets):
        text = "idle energy of some machines is attributed to no batch; it is listed"
        yield Note("idle", text, "部分设备空载能耗未分摊至任何批次，已列示")


def _of_suppliers(inventory: Inventory, components: Sequence[Component]) -> Iterator[Note]:
    if inventory.basis.plan.boundary is Boundary.GATE_TO_GATE:
        text = "gate to gate: materials are outside the boundary"
        yield Note("gate_to_gate", text, "大门到大门：物料不在边界内")
        return
    parts = [part for part in components if part.stage is Stage.SUPPLIER]
    if not parts:
        text = "no supplier data: the carbon of all materials is missing"
        yield Note("no_supplier_data", text, "无供应商数据：缺全部物料的碳足迹")
    rows = {row.ref: row for row in inventory.basis.book.supplier_inputs}
    year = inventory.days[1].year
    for part in parts:
        row = rows[part.activities[0]]
        known = f"{row.geography}, {row.year}" + (", primary" if row.primary else ", secondary")
        if row.uncertainty_pct is not None:
            known += f", ±{exact_text(row.uncertainty_pct)} %"
        age = f", {year - row.year} a before the batch" if row.year < year else ""
        yield Note("supplier", f"{row.material}: {known}{age} ({row.source})", f"{row.material}：{known}")
