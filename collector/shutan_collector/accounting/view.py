"""An accounted month or year in a terminal and as one JSON document."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Final, cast

from rich.markup import escape
from rich.table import Table
from rich.text import Text

from shutan_collector.accounting.sums import read_totals, sum_totals
from shutan_collector.carbon.lines import Scope
from shutan_collector.units import Unit, decimal_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import RenderableType

    from shutan_collector.accounting.documents import Json, JsonObject, PeriodDocuments
    from shutan_collector.site.model import Site

__all__ = ["render", "to_document"]

SCHEMA: Final = "shutan.account/1"
_SCOPES: Final = {
    Scope.SCOPE_1: "scope 1 范围一 (direct 直接)",
    Scope.SCOPE_2_LOCATION: "scope 2 范围二, electricity, location-based 基于位置",
    Scope.SCOPE_2_MARKET: "scope 2 范围二, electricity, market-based 基于市场",
    Scope.SCOPE_2_REPORTING: "scope 2 范围二, electricity, reporting default 报告规定因子",
    Scope.SCOPE_2_HEAT: "scope 2 范围二, heat 热力",
    Scope.MEMO_BIOGENIC: "memo 备注: biogenic 生物源",
    Scope.MEMO_OUTSIDE: "memo 备注: outside the seven gases 七类气体之外",
    Scope.MEMO_EXPORT: "memo 备注: exported 输出",
}
_METHODS: Final = (Scope.SCOPE_2_LOCATION, Scope.SCOPE_2_MARKET, Scope.SCOPE_2_REPORTING)
_SHOWN: Final = {
    Unit.WH: ("kWh", 1000, 3),
    Unit.LITRE: ("m³", 1000, 3),
    Unit.GRAM: ("t", 1_000_000, 6),
    Unit.KJ: ("GJ", 1_000_000, 6),
}


def to_document(period: str, months: Sequence[PeriodDocuments]) -> JsonObject:
    """Totals of the period and of each of its months; grams and counter steps are integers."""
    totals = [_totals(month) for month in months]
    return {
        "schema": SCHEMA,
        "period": period,
        "totals": sum_totals(period, [read_totals(body) for body in totals]).to_object()
        if len(totals) != 1
        else totals[0],
        "months": totals if len(totals) != 1 else [],
        "unvalued": [item for month in months for item in _unvalued(month)],
    }


def render(site: Site, period: str, months: Sequence[PeriodDocuments]) -> Iterator[RenderableType]:
    """Carbon by scope with the three electricity methods side by side, energy by meter, what is missing."""
    totals = cast("dict[str, Json]", to_document(period, months)["totals"])
    yield _carbon(site, period, totals)
    yield _energy(site, totals)
    if not totals["complete"]:
        yield Text("not complete 不完整: something that emits is not measured or not valued (see below)", "bold red")
    if totals["provisional"]:
        yield Text("provisional 暂用: the activity year's factor was not issued at the report date", "yellow")
    for month in months:
        for item in _unvalued(month):
            yield Text(f"{month.period} {item['source']}: {item['reason']}", "yellow")


def _carbon(site: Site, period: str, totals: dict[str, Json]) -> Table:
    by_scope = cast("dict[str, int]", totals["by_scope"])
    table = Table(title=escape(f"{site.name} {site.name_zh}  {period}"), title_justify="left")
    table.add_column("emissions 排放")
    table.add_column("kg CO₂e", justify="right", no_wrap=True)
    for scope, name in _SCOPES.items():
        if scope.value in by_scope:
            table.add_row(name, decimal_text(Fraction(by_scope[scope.value], 1000), 3))
    common = by_scope.get(Scope.SCOPE_1.value, 0) + by_scope.get(Scope.SCOPE_2_HEAT.value, 0)
    for scope in _METHODS:
        if scope.value in by_scope:
            method = _SCOPES[scope].rsplit(", ", 1)[-1]
            total = decimal_text(Fraction(common + by_scope[scope.value], 1000), 3)
            table.add_row(f"total 合计, {method}", total, style="bold")
    return table


def _energy(site: Site, totals: dict[str, Json]) -> Table:
    table = Table(title="energy 能源", title_justify="left")
    for name in ("meter\n计量点", "carrier\n品种", "role\n角色"):
        table.add_column(name)
    table.add_column("consumption\n用量", justify="right", no_wrap=True)
    table.add_column("unit\n单位")
    table.add_column("state\n状态")
    energy = cast("dict[str, list[int | str]]", totals["energy"])
    for meter in site.tree():
        value, unit, state = energy[meter.id]
        shown, step, places = _SHOWN[Unit(unit)]
        name = "  " * site.depth(meter) + f"{meter.name} {meter.name_zh}".strip()
        number = decimal_text(Fraction(cast("int", value), step), places)
        table.add_row(escape(name), meter.carrier, meter.role, number, shown, str(state))
    return table


def _totals(month: PeriodDocuments) -> JsonObject:
    body = month.find("totals")
    if body is None:
        message = f"{month.period} has no totals"
        raise ValueError(message)  # account_month writes one always
    return body


def _unvalued(month: PeriodDocuments) -> list[dict[str, Json]]:
    bodies = [document.body for document in month.starting("lines/")]
    return [item for body in bodies for item in cast("list[dict[str, Json]]", body["unvalued"])]
