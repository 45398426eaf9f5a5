"""The energy report in a terminal: one table by meter, one by period for what enters the site, and what to look at."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Final

from rich.markup import escape
from rich.table import Table
from rich.text import Text

from shutan_collector.carbon.lines import Scope
from shutan_collector.energy.registers import EventKind
from shutan_collector.periods import Kind, from_ns, iso
from shutan_collector.reports.energy.build import report_scope
from shutan_collector.site.model import Role
from shutan_collector.units import Unit, decimal_text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from zoneinfo import ZoneInfo

    from rich.console import RenderableType

    from shutan_collector.energy.measure import Flow
    from shutan_collector.energy.registers import Event
    from shutan_collector.reports.energy.build import MeterReport, Report

__all__ = ["render"]

# How a person reads a counter: unit shown, steps in one of it, decimals. Exact, since a step is a power of ten below.
_SHOWN: Final = {
    Unit.WH: ("kWh", 1000, 3),
    Unit.LITRE: ("m³", 1000, 3),
    Unit.GRAM: ("t", 1_000_000, 6),
    Unit.KJ: ("GJ", 1_000_000, 6),
}
_TIME_FORMAT: Final = {
    Kind.QUARTER: "%m-%d %H:%M",
    Kind.HOUR: "%m-%d %H:%M",
    Kind.SHIFT: "%m-%d %H:%M",
    Kind.DAY: "%Y-%m-%d",
    Kind.MONTH: "%Y-%m",
    Kind.YEAR: "%Y",
}
_NO_VALUE: Final = "–"


def render(report: Report) -> Iterator[RenderableType]:
    """What to print, in order."""
    yield _by_meter(report)
    yield _by_period(report)
    yield _carbon(report)
    yield from _remarks(report)


def _by_meter(report: Report) -> Table:
    zone = report.site.zone
    title = f"{report.site.name} {report.site.name_zh}  {iso(report.start_ns, zone)} – {iso(report.end_ns, zone)}"
    table = Table(title=escape(title), title_justify="left")
    table.add_column("meter\n计量点")
    table.add_column("carrier\n品种")
    table.add_column("consumption\n用量", justify="right", no_wrap=True)
    table.add_column("unit\n单位", no_wrap=True)
    table.add_column("readings\n完整率", justify="right", no_wrap=True)
    table.add_column("kg CO₂", justify="right", no_wrap=True)
    table.add_column("remarks\n备注")
    for item in report.meters:
        total = item.energy.total
        unit, _, _ = _SHOWN[item.meter.unit]
        carbon = _kg(item.carbon_g(report.start_ns, report.end_ns)) if report_scope(item.meter) else ""
        name = f"{'  ' * report.site.depth(item.meter)}{item.meter.name} {item.meter.name_zh}".rstrip()
        table.add_row(
            Text(name), item.meter.carrier.value, _amount(item, total), unit, _share(total), carbon, _marks(item, total)
        )
    return table


def _by_period(report: Report) -> Table:
    shown = [item for item in report.meters if item.meter.role in {Role.ENTRY, Role.GENERATION, Role.EXPORT}]
    table = Table(title=f"per {report.kind.value}, {report.site.zone.key}", title_justify="left")
    table.add_column("from")
    for item in shown:
        table.add_column(Text(f"{item.meter.name}\n{_SHOWN[item.meter.unit][0]}"), justify="right")
    with_carbon = report.kind is not Kind.QUARTER
    if with_carbon:
        table.add_column("kg CO₂", justify="right", no_wrap=True)
    spans = report.meters[0].energy.periods if report.meters else ()
    for number, span in enumerate(spans):
        start = from_ns(span.start_ns, report.site.zone).strftime(_TIME_FORMAT[report.kind])
        cells = [escape(f"{start} {span.name}".rstrip())]
        cells += [_amount(item, item.energy.periods[number]) for item in shown]
        if with_carbon:
            cells.append(_period_kg(report, number))
        table.add_row(*cells)
    return table


def _period_kg(report: Report, number: int) -> str:
    """Emission of one period; "≥" where a meter that emits has no value in it."""
    emitting = [item for item in report.meters if report_scope(item.meter)]
    parts = [item.period_carbon_g(report.kind, item.energy.periods[number]) for item in emitting]
    return ("≥ " if None in parts else "") + _kg(sum(part or 0 for part in parts))


def _carbon(report: Report) -> Text:
    scope1, scope2 = report.emission_g(Scope.SCOPE_1), report.emission_g(Scope.SCOPE_2_LOCATION)
    text = f"scope 1 范围一 {_kg(scope1)} kg CO₂ · scope 2 范围二 (location-based 基于位置) {_kg(scope2)} kg CO₂"
    text += f" · total 合计 {'' if report.complete else '≥ '}{_kg(report.emission_g())} kg CO₂"
    if report.provisional:
        text += " · 暂用 provisional factor"
    if not report.complete:
        text += " · not complete 不完整"
    return Text(text)


def _remarks(report: Report) -> Iterator[Text]:
    """One line per thing a person has to know about the figures above."""
    zone = report.site.zone
    for item in report.meters:
        unit = item.meter.unit.value
        for flow in item.energy.unallocated:
            where = f"{iso(flow.start_ns, zone)} – {iso(flow.end_ns, zone)}"
            yield Text(f"{item.meter.id}: unallocated 未分摊 ({flow.part.value}) {where}: {flow.value} {unit}")
        for event in item.energy.events:
            yield Text(f"{item.meter.id}: {_event(event, unit, zone)}")
        for part in item.unvalued:
            yield Text(
                f"{item.meter.id}: {part.value} {unit} from {iso(part.start_ns, zone)} not valued: {part.reason}"
            )
        if item.not_accounted:
            yield Text(f"{item.meter.id}: {item.not_accounted}")
        if item.bad_quality:
            yield Text(f"{item.meter.id}: {item.bad_quality} readings of bad quality left out")


def _event(event: Event, unit: str, zone: ZoneInfo) -> str:
    if event.kind is EventKind.STUCK:
        stretch = f"{iso(event.start_ns, zone)} – {iso(event.end_ns, zone)}"
        return f"stuck 表底停走 {stretch}, register {event.before} {unit}, an unknown amount may have passed"
    change = "" if event.before is None else f", register {event.before} -> {event.after} {unit}"
    left_out = f", {event.readings} readings left out" if event.readings else ""
    unknown = "" if event.exact else ", an unknown amount passed"
    return f"{event.kind.value} at {iso(event.end_ns, zone)}{change}{left_out}{unknown}"


def _amount(item: MeterReport, flow: Flow) -> str:
    if flow.value is None:
        return _NO_VALUE
    _, steps, places = _SHOWN[item.meter.unit]
    return decimal_text(Fraction(flow.value, steps), places) + ("*" if flow.estimated else "")


def _kg(emission_g: int) -> str:
    return decimal_text(Fraction(emission_g, 1000), 3)


def _share(flow: Flow) -> str:
    return _NO_VALUE if flow.expected is None else f"{flow.present * 100 // flow.expected} %"


def _marks(item: MeterReport, total: Flow) -> str:
    marks = sorted({event.kind.value for event in item.energy.events})
    if item.energy.unallocated:
        marks.append("unallocated 未分摊")
    if total.estimated:
        marks.append("* estimated 估算")
    if total.value is None:
        unit, steps, places = _SHOWN[item.meter.unit]
        marks.append(f"measured {decimal_text(Fraction(item.energy.measured, steps), places)} {unit}")
    if any(line.provisional for line in item.lines):
        marks.append("暂用")
    return ", ".join(marks)
