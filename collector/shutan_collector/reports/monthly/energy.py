"""Energy tables of the monthly report: meters with their registers, balance, time of use, demand, completeness."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Final

from shutan_collector.periods import from_ns
from shutan_collector.reports.carriers import CARRIER_NAMES, ROLE_NAMES, meter_quantity
from shutan_collector.reports.energy_tables import BAND_NAMES
from shutan_collector.reports.table import Both, Column, NoData, Row, Table

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from shutan_collector.accounting.summary import Register
    from shutan_collector.reports.monthly.build import MeterFigure, MonthlyModel
    from shutan_collector.reports.monthly.load import BilledEnergy, Load
    from shutan_collector.reports.table import Cell

__all__ = ["balance_table", "band_table", "completeness_table", "demand_table", "meter_table"]

_NO_REGISTER: Final = NoData(Both("期初或期末无表底", "no register at an end of the month"))


def meter_table(model: MonthlyModel) -> Table:
    """Register at start and end of every meter, and what passed."""
    columns = (
        Column(Both("计量点", "meter"), width=22),
        Column(Both("品种", "carrier"), width=11),
        Column(Both("类别", "role"), width=12),
        Column(Both("期初表底", "register at start"), places=0, width=15),
        Column(Both("时刻", "at"), width=13),
        Column(Both("期末表底", "register at end"), places=0, width=15),
        Column(Both("时刻", "at"), width=13),
        Column(Both("步长", "step"), width=7),
        Column(Both("用量", "consumption"), places=3, width=14),
        Column(Both("单位", "unit"), width=7),
        Column(Both("完整率", "complete"), "%", 2, 9),
    )
    rows = tuple(
        Row(
            (
                Both(item.name_zh, item.name), CARRIER_NAMES[item.carrier], ROLE_NAMES[item.role],
                *_register(item.first, model.zone), *_register(item.last, model.zone), item.step_unit,
                _NO_REGISTER if item.quantity is None else item.quantity, item.unit, item.completeness_pct,
            ),
            level=item.depth,
            mark=_marks(item),
        )
        for item in model.meters
    )  # fmt: skip
    notes = (
        Both(
            "表底为互感器一次侧，时刻为取数时刻；用量 = 期末 − 期初，换表的计量点按换表记录分段相加。",
            "Registers on the primary side, with the time of the reading. Consumption = end - start; "
            "where an instrument was swapped, the parts are added up by the swap record.",
        ),
    )
    return Table("meters", Both("各计量点用量", "Energy by meter"), columns, rows, notes)


def _register(reading: Register | None, zone: ZoneInfo) -> tuple[Cell, Cell]:
    """Register and the time it was read."""
    if reading is None:
        return _NO_REGISTER, None
    return reading.register, f"{from_ns(reading.t_ns, zone):%m-%d %H:%M}"


def _marks(item: MeterFigure) -> str:
    stated = (
        ("换表", item.swapped), ("估算", item.estimated), ("不确切", not item.exact),
        ("不完整", item.value is None),
    )  # fmt: skip
    return " ".join(mark for mark, on in stated if on)


def balance_table(model: MonthlyModel) -> Table:
    """What a meter supplies against the meters behind it."""
    columns = (
        Column(Both("计量点", "meter"), width=26),
        Column(Both("供入", "supplied"), places=3, width=18),
        Column(Both("下级合计", "used behind it"), places=3, width=18),
        Column(Both("未计量", "unaccounted"), places=3, width=18),
        Column(Both("单位", "unit"), width=8),
        Column(Both("占比", "share"), "%", 2, 10),
        Column(Both("判定", "result"), width=16),
    )
    meters = {meter.id: meter for meter in model.site.meters}
    limit = model.site.balance_limit_pct
    rows: list[Row] = []
    for item in model.balances:
        meter = meters[item.meter]
        unit = meter_quantity(meter, 0)
        per_step = meter_quantity(meter, 1).value
        missing = NoData(Both(f"缺 {', '.join(item.missing)}", f"no figure of {', '.join(item.missing)}"))

        def shown(value: Fraction | None, factor: Fraction = per_step, lacking: NoData = missing) -> Cell:
            return lacking if value is None else value * factor

        verdict = Both("超限", "beyond the limit") if item.alarm else Both("正常", "within")
        cells = (
            Both(meter.name_zh, meter.name), shown(item.supplied), shown(item.used), shown(item.unaccounted),
            unit.unit, item.share_pct, missing if item.missing else verdict,
        )  # fmt: skip
        rows.append(Row(cells, mark="估算" if item.estimated else ""))
    notes = (
        Both(
            f"供入 = 本表 + 接入的自产；未计量 = 供入 − 下级合计(损耗与未装表用量)；限值 {limit}%。",
            "Supplied = the meter itself + what is generated behind it; unaccounted = losses and loads "
            f"without a meter. Limit: {limit}%.",
        ),
    )
    return Table("balance", Both("能量平衡", "Energy balance"), columns, tuple(rows), notes)


def band_table(model: MonthlyModel) -> Table:
    """Energy by tariff band, by registers and by the bill."""
    columns = (
        Column(Both("计量点", "meter"), width=16),
        Column(Both("时段", "band"), width=22),
        Column(Both("电量", "energy"), "kWh", 3, 18),
        Column(Both("占比", "share"), "%", 2, 10),
        Column(Both("电价", "price"), "元/kWh yuan", 6, 14),
        Column(Both("电费", "cost"), "元 yuan", 2, 16),
    )
    rows: list[Row] = []
    notes: list[Both] = []
    for load in model.loads:
        rows += _band_rows(load)
        if load.split is None:
            notes.append(Both(f"{load.meter} 无分时数据", load.no_split))
        rows += [row for bill in load.bills for row in _bill_rows(load, bill)]
    notes.append(
        Both(
            "按小时用量划分时段；跨时段或缺数的小时列为未分时。账单有自己的起止日，不与表底相加。",
            "Split by hours; hours without a value, or cut by a change of band, are not split. "
            "Bills have dates of their own and are not added to registers.",
        )
    )
    return Table("bands", Both("分时电量", "Time of use"), columns, tuple(rows), tuple(notes))


def _band_rows(load: Load) -> list[Row]:
    split = load.split
    if split is None:
        return []
    total = split.measured_wh + (load.left_wh or 0)
    rows = [
        Row((
            load.meter, BAND_NAMES[line.band], Fraction(line.energy_wh, 1000),
            Fraction(100 * line.energy_wh, total) if total else None, line.yuan_per_kwh,
            None if line.cost_fen is None else Fraction(line.cost_fen, 100),
        ))
        for line in sorted(split.lines, key=lambda line: list(BAND_NAMES).index(line.band))
    ]  # fmt: skip
    left = split.unallocated_wh + (load.left_wh or 0)
    if left:
        share = Fraction(100 * left, total) if total else None
        rows.append(Row((load.meter, Both("未分时", "not split"), Fraction(left, 1000), share, None, None)))
    return rows


def _bill_rows(load: Load, bill: BilledEnergy) -> list[Row]:
    name = Both(f"账单 {bill.start} 至 {bill.end}", f"bill {bill.bill}")
    rows = [Row((load.meter, name, bill.energy_kwh, None, None, bill.amount_yuan))]
    rows += [Row((load.meter, BAND_NAMES[band], value, None, None, None), level=1) for band, value in bill.by_band_kwh]
    return rows


def demand_table(model: MonthlyModel) -> Table:
    """Load and demand figures of each entry meter."""
    columns = (
        Column(Both("计量点", "meter"), width=20),
        Column(Both("指标", "figure"), width=44),
        Column(Both("值", "value"), places=3, width=18),
        Column(Both("单位", "unit"), width=8),
        Column(Both("时刻或依据", "when, or source"), width=30),
    )
    rows: list[Row] = []
    for load in model.loads:
        peak = None if load.peak_wh is None else Fraction(load.peak_wh, 1000)
        when = None if load.peak_start_ns is None else f"{from_ns(load.peak_start_ns, model.zone):%Y-%m-%d %H:%M}"
        mean = None if load.mean_w is None else load.mean_w / 1000
        rows += [
            Row((load.meter, Both("最大小时平均负荷", "greatest hourly mean load"), peak, "kW", when)),
            Row((load.meter, Both("平均负荷", "mean load"), mean, "kW", None)),
            Row((load.meter, Both("负荷率", "load factor"), load.load_factor_pct, "%", None)),
        ]
        for bill in load.bills:
            source = f"{bill.bill}, {bill.start}/{bill.end}"
            rows += [
                Row((load.meter, Both("最大需量(账单)", "maximum demand by the bill"), bill.demand_kw, "kW", source)),
                Row((load.meter, Both("功率因数(账单)", "power factor by the bill"), bill.power_factor, "", source)),
            ]
    return Table("demand", Both("负荷与需量", "Load and demand"), columns, tuple(rows))


def completeness_table(model: MonthlyModel) -> Table:
    """Meters that lack readings, are estimated or inexact; empty in a clean month."""
    columns = (
        Column(Both("计量点", "meter"), width=30),
        Column(Both("应有读数", "expected"), places=0, width=14),
        Column(Both("实有读数", "present"), places=0, width=14),
        Column(Both("完整率", "completeness"), "%", 2, 14),
        Column(Both("缺数小时", "hours without value"), places=0, width=14),
        Column(Both("标记", "marks"), width=24),
    )
    rows = tuple(
        Row((
            Both(item.name_zh, item.name), item.expected, item.present, item.completeness_pct, item.hours_missing,
            _marks(item) or None,
        ))
        for item in model.meters
        if item.hours_missing or item.estimated or not item.exact or item.value is None
    )  # fmt: skip
    return Table("completeness", Both("数据完整性", "Completeness"), columns, rows)
