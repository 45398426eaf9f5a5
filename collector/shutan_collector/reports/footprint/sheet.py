"""The data sheet of a product footprint (产品碳足迹数据单) as PDF: figure, parts, shares, factors, remarks."""

from __future__ import annotations

import json
from datetime import UTC, datetime, time
from importlib import resources
from typing import TYPE_CHECKING, Final

from shutan_collector.exact import exact_text
from shutan_collector.footprint.document import SCHEMA
from shutan_collector.footprint.label import BOUNDARY_NAMES, label_svg, shown
from shutan_collector.footprint.machine import StretchKind
from shutan_collector.footprint.result import Stage
from shutan_collector.periods import from_ns
from shutan_collector.reports.table import Both, Column, Row, Table
from shutan_collector.units import decimal_text

if TYPE_CHECKING:
    from shutan_collector.accounting.summary import LedgerMark
    from shutan_collector.footprint.result import Footprint
    from shutan_collector.reports.fonts import Typeface
    from shutan_collector.site.model import Site

__all__ = ["TITLE", "sheet_pdf", "tables"]

TITLE: Final = Both("产品碳足迹数据单", "Product carbon footprint data sheet")
_STAGES: Final = {
    Stage.MACHINE: Both("设备", "machine"),
    Stage.IDLE: Both("空载", "idle"),
    Stage.SHARED: Both("公用", "shared"),
    Stage.SUPPLIER: Both("物料", "material"),
    Stage.INTERMEDIATE: Both("中间产品", "intermediate"),
}
_STRETCHES: Final = {
    StretchKind.BATCH: Both("批次", "batches"),
    StretchKind.IDLE: Both("空载", "idle"),
    StretchKind.CARRIED_IN: Both("跨期转入", "carried in"),
    StretchKind.CARRIED_OUT: Both("跨期转出", "carried out"),
}
_MARKS: Final = (("provisional", "暂用 provisional"), ("estimated", "估算 estimated"))


def sheet_pdf(footprint: Footprint, sha256: str, typeface: Typeface, mark: LedgerMark | None = None) -> bytes:
    """The sheet; the same footprint and font give the same bytes. A warning of typst is a defect: it is raised."""
    import typst  # noqa: PLC0415 - a heavy library, needed only where a document is set

    folder = resources.files("shutan_collector.reports")
    data = {**_data(footprint, sha256, mark), "typeface": typeface.family, "mono": typeface.mono}
    files: dict[str, bytes] = {
        "main.typ": (folder / "footprint" / "sheet.typ").read_bytes(),
        "layout.typ": (folder / "layout" / "report.typ").read_bytes(),
        "data.json": json.dumps(data, ensure_ascii=False).encode(),
        "label.svg": label_svg(footprint, sha256, mark, family=typeface.family).encode(),
    }
    stamp = int(datetime.combine(footprint.inventory.basis.as_of, time(), UTC).timestamp())
    output, warnings = typst.compile_with_warnings(  # pyright: ignore[reportUnknownMemberType, reportCallIssue, reportUnknownVariableType] the stub knows neither a dict of files nor a format of type str
        files, font_paths=typeface.fonts, format="pdf", timestamp=stamp,  # pyright: ignore[reportArgumentType] see above
    )  # fmt: skip
    if warnings:
        raise RuntimeError("; ".join(str(warning) for warning in warnings))
    return bytes(output)  # pyright: ignore[reportUnknownArgumentType] - one PDF is one bytes object


def tables(footprint: Footprint) -> tuple[Table, ...]:
    """Everything that the sheet tabulates."""
    return (_totals(footprint), _components(footprint), _machines(footprint), _shares(footprint), _factors(footprint))


def _data(footprint: Footprint, sha256: str, mark: LedgerMark | None) -> dict[str, object]:
    product, inventory = footprint.product, footprint.inventory
    site, plan = inventory.basis.site, inventory.basis.plan
    starts = min(row.start_ns for row in footprint.batch.rows)
    zh, en = BOUNDARY_NAMES[plan.boundary]
    facts = (
        ("批次", "Batch", footprint.batch.batch),
        ("生产时间", "Produced", f"{_minute(starts, site)} – {_minute(footprint.batch.end_ns, site)}"),
        ("产出", "Output", f"{exact_text(footprint.good)} {product.unit} + {exact_text(footprint.scrap)} 废品 scrap"),
        ("系统边界", "Boundary", f"{zh} {en}"),
        ("GWP", "", f"{plan.gwp}, 100 a"),
        ("一级数据", "Primary data", _percent(footprint)),
        ("厂区", "Site", f"{site.name_zh} {site.name}".strip()),
        ("因子", "Factors", f"{footprint.release[0]}, {inventory.basis.as_of}"),
    )
    return {
        "title": {"zh": TITLE.zh, "en": TITLE.en},
        "organisation": site.organisation or site.name_zh or site.name,
        "product": {"zh": product.name_zh or product.name, "en": product.name},
        "batch": footprint.batch.batch,
        "figure": shown(footprint.footprint_kg),
        "declared": f"{product.declared_unit_zh} {product.declared_unit}".strip(),
        "facts": [{"zh": fact_zh, "en": fact_en, "text": text} for fact_zh, fact_en, text in facts],
        "remarks": [text for name, text in _MARKS if getattr(footprint, name)],
        "tables": {table.key: table.to_data() for table in tables(footprint)},
        "notes": [{"zh": note.zh, "en": note.en} for note in footprint.notes],
        "cut_off": list(product.cut_off),
        "foot": _foot(sha256, mark),
    }


def _both(zh: str, en: str) -> Both:
    return Both(zh, "" if zh == en else en)


def _minute(t_ns: int, site: Site) -> str:
    return f"{from_ns(t_ns, site.zone):%Y-%m-%d %H:%M}"


def _foot(sha256: str, mark: LedgerMark | None) -> list[str]:
    lines = [f"{SCHEMA} · GB/T 24067-2024, ISO 14067:2018 · 证据 evidence sha256 {sha256}"]
    if mark is None:
        return [*lines, "无账本标记 no ledger mark"]
    return [
        *lines,
        f"链头 chain head #{mark.head_seq} {mark.head_hash}",
        f"密钥指纹 key fingerprint {mark.key_fingerprint}",
    ]


def _percent(footprint: Footprint) -> str:
    share = footprint.primary_share
    return "—" if share is None else f"{decimal_text(share * 100, 1)} %"


def _totals(footprint: Footprint) -> Table:
    unit = "kg CO2e"
    columns = (
        Column(Both("碳的来源", "carbon"), width=40),
        Column(Both("每声明单位", "per declared unit"), unit, 6, 20),
        Column(Both("本批", "batch"), unit, 3, 20),
    )
    fossil, biogenic = footprint.fossil_kg, footprint.biogenic_kg
    rows = (
        Row((Both("化石及其他温室气体", "fossil and other gases"), footprint.footprint_kg, fossil), total=True),
        Row((Both("生物源（单列）", "biogenic, apart"), footprint.declared(biogenic), biogenic)),
        Row((Both("土地利用变化", "land use and land-use change"), None, None)),
    )
    return Table("totals", Both("结果", "Result"), columns, rows)


def _components(footprint: Footprint) -> Table:
    columns = (
        Column(Both("环节", "stage"), width=12),
        Column(Both("名称", "name"), width=26),
        Column(Both("活动数据", "activity"), "", 1, 16),
        Column(Both("单位", "unit"), width=7),
        Column(Both("份额", "share"), "%", 3, 10),
        Column(Both("分摊", "key"), width=17),
        Column(Both("因子", "factor"), "kg CO2e", 8, 16),
        Column(Both("排放", "emission"), "kg CO2e", 3, 15),
        Column(Both("占比", "of total"), "%", 1, 9),
        Column(Both("数据", "data"), width=14),
    )
    total = footprint.fossil_kg
    rows = tuple(
        Row((
            _STAGES[part.stage], _both(part.name_zh, part.name), part.quantity, part.rate.unit, part.share * 100,
            part.rule, part.rate.kg_per_unit, part.kg,
            part.kg * 100 / total if total and not part.biogenic else None,
            None if part.biogenic else Both("一级", "primary") if part.primary else Both("次级", "secondary"),
        ), mark="生物源" if part.biogenic else "估算" if part.estimated else "暂用" if part.rate.provisional else "")
        for part in footprint.components
    )  # fmt: skip
    return Table("components", Both("构成", "Parts"), columns, rows)


def _machines(footprint: Footprint) -> Table:
    columns = (
        Column(Both("设备", "machine"), width=20),
        Column(Both("计量表", "meter"), width=20),
        Column(Both("计量期用量", "metered in the window"), "Wh", 0, 20),
        *(Column(name, "Wh", 0, 16) for name in _STRETCHES.values()),
    )
    rows = tuple(
        Row((
            machine.asset, machine.meter, machine.window.value, *(machine.total(kind) for kind in _STRETCHES)
        ))
        for machine, _ in footprint.inventory.machines
    )  # fmt: skip
    days = footprint.inventory.days
    note = Both(
        f"计量期 {days[0]} 至 {days[1]}：用量 + 转入 = 批次 + 空载 + 转出。",
        "Window: metered + carried in = batches + idle + carried out.",
    )
    return Table("machines", Both("设备用电", "Electricity of machines"), columns, rows, (note,))


def _shares(footprint: Footprint) -> Table:
    columns = (
        Column(Both("公用负荷", "shared load"), width=26),
        Column(Both("分摊方法", "key"), width=16),
        Column(Both("本批权重", "weight of the batch"), "", 3, 16),
        Column(Both("全部权重", "all weights"), "", 3, 16),
        Column(Both("单位", "unit"), width=8),
        Column(Both("本批份额", "share of the batch"), "%", 4, 14),
        Column(Both("未分摊", "unattributed"), "%", 4, 14),
        Column(Both("排放合计", "whole emission"), "kg CO2e", 3, 16),
    )
    batch = footprint.batch.id
    rows = tuple(
        Row((
            _both(pool.shared.name_zh, pool.shared.name), pool.shared.key.value,
            dict(pool.allocation.weights).get(batch, 0), pool.allocation.total, pool.allocation.unit,
            pool.share(batch) * 100, pool.unattributed * 100,
            sum((load.kg for load in pool.loads if not load.biogenic), start=footprint.fossil_kg * 0),
        ))
        for pool in footprint.inventory.pools
    )  # fmt: skip
    return Table("shares", Both("公用负荷分摊", "Shared loads"), columns, rows)


def _factors(footprint: Footprint) -> Table:
    columns = (
        Column(Both("编号", "id"), width=24),
        Column(Both("因子", "factor"), width=34),
        Column(Both("数值", "value"), width=12),
        Column(Both("单位", "unit"), width=14),
        Column(Both("发布", "issued"), width=12),
        Column(Both("来源", "source"), width=46),
    )
    found = {row.id: row for part in footprint.components for _, row in part.rate.factors}
    rows = tuple(
        Row((row.id, _both(row.name_zh, row.name_en), row.text, row.unit, row.known_from, row.source))
        for row in sorted(found.values(), key=lambda row: row.id)
    )
    return Table("factors", Both("排放因子", "Factors"), columns, rows)
