"""The metering report as tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from shutan_collector.exact import exact_text
from shutan_collector.reports.carriers import CARRIER_NAMES, LEVEL_NAMES
from shutan_collector.reports.metering.build import DUE_SOON_DAYS, MAIN_ELECTRICAL_KW, Status
from shutan_collector.reports.page import KeyFigure, Page
from shutan_collector.reports.table import Both, Column, NoData, Row, Table

if TYPE_CHECKING:
    from datetime import datetime
    from fractions import Fraction

    from shutan_collector.reports.metering.build import EquippingRate, MeteringModel, MeterRecord
    from shutan_collector.reports.table import Cell

__all__ = ["TITLE", "metering_page"]

TITLE: Final = Both("能源计量器具一览表", "Energy metering equipment")
STATUS_NAMES: Final = {
    Status.IN_USE: Both("在用", "in use"),
    Status.DUE_SOON: Both("临近检定", "due soon"),
    Status.OVERDUE: Both("超期", "overdue"),
    Status.NOT_RECORDED: Both("无检定记录", "no calibration record"),
    Status.REMOVED: Both("已拆除", "removed"),
}
_NO_METERS: Final = NoData(Both("无应配计量点", "no metering point is required"))


def metering_page(model: MeteringModel) -> Page:
    """Tables and key figures of the model."""
    overdue = sum(item.status is Status.OVERDUE for item in model.meters)
    percent = model.collection.percent
    return Page(
        folder="metering",
        title=TITLE,
        heading=model.heading,
        figures=(
            KeyFigure(Both("计量器具", "meters"), len(model.meters), "台 pcs", 0),
            KeyFigure(
                Both("自动采集率", "automatic collection Rz"), _NO_METERS if percent is None else percent, "%", 2
            ),
            KeyFigure(Both("检定超期", "calibration overdue"), overdue, "台 pcs", 0),
        ),
        tables=(_list(model), _rates(model), _collection(model), _due(model), _history(model)),
        plots=lambda _family: (),
    )


def _list(model: MeteringModel) -> Table:
    columns = (
        Column(Both("编号", "number"), width=9),
        Column(Both("名称", "name"), width=14),
        Column(Both("品种", "carrier"), width=9),
        Column(Both("级别", "level"), width=5),
        Column(Both("上级", "parent"), width=8),
        Column(Both("型号", "model"), width=9),
        Column(Both("制造厂", "maker"), width=10),
        Column(Both("准确度", "class"), width=6),
        Column(Both("测量范围", "range"), width=11),
        Column(Both("安装位置", "location"), width=11),
        Column(Both("CT × PT", ""), width=8),
        Column(Both("表底翻转", "register width"), width=13),
        Column(Both("步长", "step"), width=5),
        Column(Both("检定", "calibrated"), width=9),
        Column(Both("有效期至", "due"), width=9),
        Column(Both("状态", "status"), width=9),
    )
    rows = tuple(Row(_list_cells(item)) for item in model.meters)
    notes = (
        Both("级别：1 用能单位，2 主要次级用能单位，3 主要用能设备。", "Levels after GB 17167."),
        Both(
            "步长为台账中表底的分辨率；表底为互感器一次侧。",
            "Step: resolution of the register as stored, primary side of the transformers.",
        ),
    )
    return Table("meters", Both("计量器具台账", "Meter register"), columns, rows, notes)


def _list_cells(item: MeterRecord) -> tuple[Cell, ...]:
    instrument = item.instrument
    width = None if instrument.rollover_at is None else f"{instrument.rollover_at:,} {item.step_unit}"
    number = f"{item.number} #{instrument.serial}" if instrument.serial else item.number
    return (
        number, Both(item.name_zh, item.name), CARRIER_NAMES[item.carrier], exact_text(item.level),
        item.parent or None, item.model or None, item.maker or None, item.accuracy_class or None,
        item.measuring_range or None, item.location or None,
        f"{exact_text(instrument.ct)} × {exact_text(instrument.pt)}", width, f"1 {item.step_unit}",
        item.calibrated, item.calibration_due, STATUS_NAMES[item.status],
    )  # fmt: skip


def _rates(model: MeteringModel) -> Table:
    columns = (
        Column(Both("能源品种", "carrier"), width=26),
        Column(Both("级别", "level"), width=24),
        Column(Both("应配", "required"), "台", 0, 10),
        Column(Both("实配", "installed"), "台", 0, 10),
        Column(Both("配备率", "equipping rate"), "%", 2, 12),
        Column(Both("要求", "required rate"), "%", 0, 12),
        Column(Both("结论", "result"), width=14),
    )
    rows = tuple(
        Row((
            rate.name, LEVEL_NAMES[rate.level], rate.required, rate.installed, _share(rate.percent),
            rate.required_percent, _verdict(rate),
        ))
        for rate in model.rates
    )  # fmt: skip
    notes = [
        Both(
            "配备率 = 实配数 ÷ 应配数；应配数取计量点台账中的计量点，台账之外未装表的设备不在其内。",
            "Rate = installed / required; required are the metering points of the register. "
            "Equipment that is in no register is not counted.",
        ),
        Both(
            f"用电设备 {MAIN_ELECTRICAL_KW} kW 及以上为主要用能设备。",
            f"Electrical equipment counts as main from {MAIN_ELECTRICAL_KW} kW of rated power on.",
        ),
        Both(f"要求依据：{model.rates_source}", f"Required rates after {model.rates_edition}."),
    ]
    if not model.rates_in_force:
        notes.append(
            Both(
                "报告日该版本已被新版替代，请按现行版本复核要求。",
                "On the report date this edition is no longer in force: check the required rates against the new one.",
            )
        )
    return Table("rates", Both("计量器具配备率", "Equipping rate"), columns, rows, tuple(notes))


def _share(percent: Fraction | None) -> Cell:
    return _NO_METERS if percent is None else percent


def _verdict(rate: EquippingRate) -> Cell:
    if rate.met is None:
        return None
    return Both("达到", "reached") if rate.met else Both("未达到", "not reached")


def _collection(model: MeteringModel) -> Table:
    columns = (
        Column(Both("指标", "indicator"), width=50),
        Column(Both("Nz", "valid automatic"), "台", 0, 12),
        Column(Both("Nj", "required"), "台", 0, 12),
        Column(Both("Rz = Nz / Nj", ""), "%", 2, 12),
    )
    label = Both("关键能源数据自动采集率", "automatic collection of key energy data")
    collection = model.collection
    row = Row((label, collection.valid, collection.required, _share(collection.percent)))
    notes = (
        Both(
            "有效：本期自动采集到表底并得出用量，器具在用且检定未超期。",
            "Valid: registers were collected automatically and give a figure for the period; "
            "the instrument is in place and its calibration has not expired.",
        ),
    )
    return Table("collection", Both("自动采集率", "Automatic collection"), columns, (row,), notes)


def _due(model: MeteringModel) -> Table:
    columns = (
        Column(Both("编号", "number"), width=14),
        Column(Both("名称", "name"), width=24),
        Column(Both("安装位置", "location"), width=20),
        Column(Both("强制检定", "mandatory"), width=12),
        Column(Both("上次检定", "calibrated"), width=14),
        Column(Both("有效期至", "due"), width=14),
        Column(Both("剩余天数", "days left"), "d", 0, 10),
        Column(Both("状态", "status"), width=18),
    )
    rows = tuple(
        Row((
            item.number, Both(item.name_zh, item.name), item.location or None,
            Both("是", "yes") if item.mandatory else Both("否", "no"), item.calibrated, item.calibration_due,
            item.days_left, STATUS_NAMES[item.status],
        ))
        for item in model.due
    )  # fmt: skip
    note = Both(
        f"报告日起 {DUE_SOON_DAYS} 天内到期、已超期或无记录的器具。",
        f"Due within {DUE_SOON_DAYS} days of the report date, overdue, or without a record.",
    )
    return Table("due", Both("检定到期清单", "Calibration due"), columns, rows, (note,))


def _history(model: MeteringModel) -> Table:
    columns = (
        Column(Both("计量点", "metering point"), width=12),
        Column(Both("器具", "instrument"), width=18),
        Column(Both("出厂编号", "serial"), width=12),
        Column(Both("装表时间", "installed"), width=17),
        Column(Both("装表底数", "register"), width=16),
        Column(Both("拆表时间", "removed"), width=17),
        Column(Both("拆表底数", "register"), width=16),
    )
    rows = tuple(
        Row((
            item.number, one.source, one.serial or None, _moment(one.start),
            _register(one.start_register, item), _moment(one.end), _register(one.end_register, item),
        ))
        for item in model.meters
        if len(item.instruments) > 1
        for one in item.instruments
    )  # fmt: skip
    return Table("history", Both("换表记录", "Swap history"), columns, rows)


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else moment.strftime("%Y-%m-%d %H:%M")


def _register(register: int | None, item: MeterRecord) -> str | None:
    return None if register is None else f"{register:,} {item.step_unit}"
