"""Emissions of a month or year: by source, with the methods of scope 2 side by side and memo items apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from shutan_collector.carbon.lines import Category, Scope
from shutan_collector.reports.table import Both

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shutan_collector.accounting.summary import Emission, MonthSummary, YearSummary

__all__ = [
    "CATEGORY_NAMES", "METHODS", "SCOPE_NAMES", "Method", "SourceEmission", "by_source",
    "source_name", "total_g",
]  # fmt: skip

METHODS: Final = (Scope.SCOPE_2_LOCATION, Scope.SCOPE_2_MARKET, Scope.SCOPE_2_REPORTING)
SCOPE_NAMES: Final[dict[Scope, Both]] = {
    Scope.SCOPE_1: Both("范围一 直接排放", "scope 1, direct"),
    Scope.SCOPE_2_LOCATION: Both("范围二 电力，基于位置", "scope 2, electricity, location-based"),
    Scope.SCOPE_2_MARKET: Both("范围二 电力，基于市场", "scope 2, electricity, market-based"),
    Scope.SCOPE_2_REPORTING: Both("范围二 电力，报告规定因子", "scope 2, electricity, reporting default"),
    Scope.SCOPE_2_HEAT: Both("范围二 热力", "scope 2, heat"),
    Scope.MEMO_BIOGENIC: Both("备注 生物源", "memo, biogenic"),
    Scope.MEMO_OUTSIDE: Both("备注 七类气体之外", "memo, outside the seven gases"),
    Scope.MEMO_EXPORT: Both("备注 输出电力热力", "memo, exported"),
    Scope.MEMO_EXPORT_REPORTING: Both("备注 输出电力(报告规定因子)", "memo, exported, reporting default"),
}
CATEGORY_NAMES: Final[dict[Category, Both]] = {
    Category.COMBUSTION: Both("化石燃料燃烧", "combustion"),
    Category.PROCESS: Both("工业过程", "process"),
    Category.FUGITIVE: Both("逸散", "fugitive"),
    Category.ELECTRICITY: Both("净购入电力", "purchased electricity"),
    Category.HEAT: Both("净购入热力", "purchased heat"),
    Category.WASTEWATER: Both("废水处理", "wastewater"),
    Category.FERMENTATION: Both("发酵", "fermentation"),
}
_ACTIVITY_NAMES: Final = {
    "bill": Both("电费结算单", "electricity bill"),
    "fuel_movement": Both("购进燃料", "bought fuel"),
    "refrigerant": Both("制冷剂与绝缘气体", "refrigerants, insulating gas"),
    "process_input": Both("过程原料", "process input"),
    "clinker": Both("水泥熟料", "clinker"),
    "fermentation": Both("发酵", "fermentation"),
    "wastewater": Both("废水厌氧处理", "anaerobic wastewater treatment"),
    "heat_purchase": Both("外购热力", "bought heat"),
}


@dataclass(frozen=True, slots=True)
class Method:
    """A total of scopes 1 and 2 by one method for electricity; heat belongs to each."""

    scope: Scope
    electricity_g: int
    total_g: int


@dataclass(frozen=True, slots=True)
class SourceEmission:
    """Sum of one source, category and gas over the scopes it appears in, grams of CO2 equivalent by scope."""

    source: str
    name: Both
    category: Category
    gas: str
    gas_g: int
    co2e_g: tuple[tuple[Scope, int], ...]
    provisional: bool
    estimated: bool

    def of(self, scope: Scope) -> int | None:
        """Grams in one scope, None where the source has none."""
        return dict(self.co2e_g).get(scope)

    @property
    def memo(self) -> bool:
        """Whether it stands outside every total."""
        return all(scope.memo for scope, _ in self.co2e_g)


def by_source(summary: MonthSummary | YearSummary) -> tuple[SourceEmission, ...]:
    """Scope 1 first, then heat, electricity, memo items; by source within."""
    groups: dict[tuple[str, str, str, bool], list[Emission]] = {}
    for item in summary.emissions:
        groups.setdefault((item.source, item.category.value, item.gas, item.scope.memo), []).append(item)
    found = [_joined(summary, items) for items in groups.values()]
    order = list(Scope)
    return tuple(sorted(found, key=lambda item: (order.index(item.co2e_g[0][0]), item.source, item.gas)))


def total_g(summary: MonthSummary | YearSummary, method: Scope) -> int:
    """Scopes 1 and 2 by one method, grams of CO2 equivalent."""
    return sum(summary.emission_g(scope) for scope in (Scope.SCOPE_1, Scope.SCOPE_2_HEAT, method))


def source_name(summary: MonthSummary | YearSummary, source: str) -> Both:
    """What people call a source; its own text where there is no name."""
    kind, _, key = source.partition(":")
    if kind == "meter":
        use = summary.meter(key)
        return Both(use.name_zh, use.name) if use else Both("", key)
    if kind == "activity":
        return _ACTIVITY_NAMES.get(key, Both("", key.replace("_", " ")))
    if kind == "market":
        part, _, name = key.partition("/")
        if key == "residual":
            return Both("剩余电量(全国剩余因子)", "rest, at the residual mix")
        return Both("购电合同", f"contract {name}") if part == "contract" else Both("绿证", f"certificate {key}")
    return Both("", source)


def _joined(summary: MonthSummary | YearSummary, items: Iterable[Emission]) -> SourceEmission:
    parts = sorted(items, key=lambda item: list(Scope).index(item.scope))
    return SourceEmission(
        source=parts[0].source,
        name=source_name(summary, parts[0].source),
        category=parts[0].category,
        gas=parts[0].gas,
        gas_g=parts[0].gas_g,
        co2e_g=tuple((item.scope, item.co2e_g) for item in parts),
        provisional=any(item.provisional for item in parts),
        estimated=any(item.estimated for item in parts),
    )
