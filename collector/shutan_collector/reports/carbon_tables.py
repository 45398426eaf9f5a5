"""Tables of emissions that several reports print: by source, by method side by side, memo items, factors."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from shutan_collector.carbon.lines import Scope
from shutan_collector.reports.emissions import CATEGORY_NAMES, SCOPE_NAMES
from shutan_collector.reports.table import Both, Column, Row, Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shutan_collector.carbon.lines import Unvalued
    from shutan_collector.factors.rows import Factor
    from shutan_collector.reports.emissions import Method, SourceEmission
    from shutan_collector.reports.table import Cell

__all__ = ["factor_table", "marks_of", "memo_table", "method_table", "source_table", "tonnes", "unvalued_table"]

_G_PER_T: Final = 1_000_000
_GRAMS: Final = 6  # decimals of a tonne: exact to the gram, as the ledger holds it
_FEW_CERTIFICATES: Final = 4
_COLUMNS: Final = (
    Scope.SCOPE_1,
    Scope.SCOPE_2_HEAT,
    Scope.SCOPE_2_LOCATION,
    Scope.SCOPE_2_MARKET,
    Scope.SCOPE_2_REPORTING,
)
_SHORT: Final = {
    Scope.SCOPE_1: Both("范围一", "scope 1"),
    Scope.SCOPE_2_HEAT: Both("范围二 热力", "scope 2 heat"),
    Scope.SCOPE_2_LOCATION: Both("范围二 基于位置", "location-based"),
    Scope.SCOPE_2_MARKET: Both("范围二 基于市场", "market-based"),
    Scope.SCOPE_2_REPORTING: Both("范围二 报告规定", "reporting default"),
}


def tonnes(grams: int | None) -> Fraction | None:
    """Tonnes of a number of grams."""
    return None if grams is None else Fraction(grams, _G_PER_T)


def marks_of(*, provisional: bool, estimated: bool) -> str:
    """Marks of a figure."""
    return " ".join(mark for mark, on in (("暂用", provisional), ("估算", estimated)) if on)


def source_table(sources: Sequence[SourceEmission]) -> Table:
    """One row a source, category and gas; the sums by scope below."""
    columns = (
        Column(Both("排放源", "source"), width=26),
        Column(Both("类别", "category"), width=18),
        Column(Both("气体", "gas"), width=8),
        *(Column(_SHORT[scope], "tCO2e", _GRAMS, 16) for scope in _COLUMNS),
    )
    shown = _certificates_joined([item for item in sources if not item.memo])
    rows = [
        Row(
            (item.name, CATEGORY_NAMES[item.category], item.gas, *(tonnes(item.of(scope)) for scope in _COLUMNS)),
            mark=marks_of(provisional=item.provisional, estimated=item.estimated),
        )
        for item in shown
    ]
    sums = [[item.of(scope) for item in shown if item.of(scope) is not None] for scope in _COLUMNS]
    totals: list[Cell] = [tonnes(sum(part for part in parts if part is not None)) if parts else None for parts in sums]
    rows.append(Row((Both("合计", "total"), None, None, *totals), total=True))
    notes = (
        Both(
            "六位小数，精确到克；合计为台账之和。范围二三种方法并列，不得相加。",
            "Six decimals are exact to the gram; totals are sums of ledger lines. "
            "The three scope 2 methods stand side by side and are never added.",
        ),
    )
    return Table("sources", Both("按排放源", "Emissions by source"), columns, tuple(rows), notes)


def _certificates_joined(sources: Sequence[SourceEmission]) -> list[SourceEmission]:
    """Certificates in one row where there are many: each is a ledger line, and its key stands in the document."""
    single = [item for item in sources if _is_certificate(item)]
    if len(single) <= _FEW_CERTIFICATES:
        return list(sources)
    scopes = dict.fromkeys(scope for item in single for scope, _ in item.co2e_g)
    joined = replace(
        single[0],
        source="market:certificates",
        name=Both(f"绿证 {len(single)} 份", f"{len(single)} certificates"),
        gas_g=sum(item.gas_g for item in single),
        co2e_g=tuple((scope, sum(item.of(scope) or 0 for item in single)) for scope in scopes),
        provisional=any(item.provisional for item in single),
        estimated=any(item.estimated for item in single),
    )
    at = sources.index(single[0])
    return [item for item in (*sources[:at], joined, *sources[at:]) if not _is_certificate(item) or item is joined]


def _is_certificate(item: SourceEmission) -> bool:
    kind, _, key = item.source.partition(":")
    return kind == "market" and key != "residual" and not key.startswith("contract/")


def method_table(scope_1_g: int, heat_g: int, methods: Sequence[Method]) -> Table:
    """Scope 1, heat, electricity and total by each method that has figures."""
    columns = (
        Column(Both("方法", "method for electricity"), width=38),
        Column(Both("范围一", "scope 1"), "tCO2e", _GRAMS, 18),
        Column(Both("范围二 热力", "scope 2 heat"), "tCO2e", _GRAMS, 18),
        Column(Both("范围二 电力", "scope 2 electricity"), "tCO2e", _GRAMS, 18),
        Column(Both("合计", "total"), "tCO2e", _GRAMS, 18),
    )
    rows = tuple(
        Row((
            SCOPE_NAMES[item.scope], tonnes(scope_1_g), tonnes(heat_g), tonnes(item.electricity_g),
            tonnes(item.total_g),
        ))
        for item in methods
    )  # fmt: skip
    return Table("methods", Both("范围一与范围二合计", "Scopes 1 and 2 by method"), columns, rows)


def memo_table(sources: Sequence[SourceEmission]) -> Table:
    """What is reported apart and is in no total."""
    columns = (
        Column(Both("排放源", "source"), width=26),
        Column(Both("性质", "kind"), width=34),
        Column(Both("气体", "gas"), width=10),
        Column(Both("质量", "mass"), "t", _GRAMS, 18),
        Column(Both("当量", "CO2 equivalent"), "tCO2e", _GRAMS, 18),
    )
    rows = tuple(
        Row(
            (item.name, SCOPE_NAMES[scope], item.gas, tonnes(item.gas_g), tonnes(grams)),
            mark=marks_of(provisional=item.provisional, estimated=item.estimated),
        )
        for item in sources
        if item.memo
        for scope, grams in item.co2e_g
    )
    return Table("memo", Both("单独披露(不计入合计)", "Memo items, in no total"), columns, rows)


def unvalued_table(items: Sequence[Unvalued]) -> Table:
    """What no ledger line holds."""
    columns = (
        Column(Both("来源", "source"), width=30),
        Column(Both("数量", "quantity"), places=None, width=24),
        Column(Both("单位", "unit"), width=10),
        Column(Both("原因", "reason"), width=60),
    )
    rows = tuple(Row((item.source, item.value, item.unit, item.reason)) for item in items)
    return Table("unvalued", Both("未计值数据", "Not valued"), columns, rows)


def factor_table(factors: Sequence[Factor]) -> Table:
    """The factor rows used, with their sources."""
    columns = (
        Column(Both("编号", "id"), width=24),
        Column(Both("名称", "name"), width=36),
        Column(Both("值", "value"), width=12),
        Column(Both("单位", "unit"), width=14),
        Column(Both("区域", "region"), width=9),
        Column(Both("来源", "source"), width=48),
        Column(Both("可信度", "confidence"), width=13),
    )
    rows = tuple(
        Row((row.id, Both(row.name_zh, row.name_en), row.text, row.unit, row.region, row.source, row.confidence))
        for row in factors
    )
    return Table("factors", Both("采用的因子", "Factors used"), columns, rows)
