"""Load profile of one electricity meter (用电负荷): time of use, maximum demand, power factor, as tables and JSON."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Final

from rich.markup import escape
from rich.table import Table

from shutan_collector.exact import exact_text
from shutan_collector.periods import iso
from shutan_collector.units import decimal_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shutan_collector.energy.profile import LoadProfile
    from shutan_collector.energy.tariff import TariffSplit
    from shutan_collector.site.model import Site

__all__ = ["SCHEMA", "render", "to_document"]

SCHEMA: Final = "shutan.report.load/1"
_NO_VALUE: Final = "–"


def to_document(site: Site, profile: LoadProfile) -> dict[str, object]:
    """Energy in Wh and cost in fen are integers; kW and prices are exact text."""
    split, factor = profile.split, profile.power_factor
    return {
        "schema": SCHEMA,
        "meter": profile.meter,
        "time_of_use": None if split is None else _split(split),
        "demand": [
            {
                "month": item.month,
                "kw": exact_text(item.peak.kw) if item.peak else None,
                "from": iso(item.peak.start_ns, site.zone) if item.peak else None,
                "quarters_known": item.known,
                "quarters": item.quarters,
            }
            for item in profile.demand
        ],
        "power_factor": None
        if factor is None
        else {"text": factor.text(), "active_wh": factor.active_wh, "reactive_varh": factor.reactive_varh},
    }


def render(site: Site, profile: LoadProfile) -> Iterator[Table]:
    """One table for the bands, one for demand and power factor."""
    if profile.split is not None:
        yield _bands(site, profile.meter, profile.split)
    table = Table(title=f"maximum demand 最大需量, {escape(profile.meter)}", title_justify="left")
    for name in ("month\n月", "kW", "quarter hour\n时段", "known\n已知", "power factor\n功率因数"):
        table.add_column(name)
    factor = profile.power_factor.text() if profile.power_factor else _NO_VALUE
    for item in profile.demand:
        peak = item.peak
        kw = decimal_text(peak.kw, 3) if peak else _NO_VALUE
        when = iso(peak.start_ns, site.zone) if peak else _NO_VALUE
        table.add_row(item.month, kw, when, f"{item.known}/{item.quarters}", factor)
    yield table


def _split(split: TariffSplit) -> dict[str, object]:
    return {
        "lines": [
            {
                "band": line.band.value,
                "energy_wh": line.energy_wh,
                "yuan_per_kwh": exact_text(line.yuan_per_kwh) if line.yuan_per_kwh is not None else None,
                "cost_fen": line.cost_fen,
                "estimated": line.estimated,
            }
            for line in split.lines
        ],
        "unallocated_wh": split.unallocated_wh,
        "measured_wh": split.measured_wh,
        "cost_fen": split.cost_fen,
        "exact": split.exact,
    }


def _bands(site: Site, meter: str, split: TariffSplit) -> Table:
    table = Table(title=f"time of use 分时电量, {escape(site.name)}, {escape(meter)}", title_justify="left")
    table.add_column("band\n时段")
    for name in ("kWh", "yuan/kWh\n元", "cost\n元"):
        table.add_column(name, justify="right")
    for line in split.lines:
        price = exact_text(line.yuan_per_kwh) if line.yuan_per_kwh is not None else _NO_VALUE
        table.add_row(line.band.value, _kwh(line.energy_wh), price, _yuan(line.cost_fen))
    table.add_row("unallocated 未分摊", _kwh(split.unallocated_wh), "", "")
    table.add_row("sum 合计", _kwh(split.measured_wh), "", _yuan(split.cost_fen), style="bold")
    return table


def _kwh(energy_wh: int) -> str:
    return decimal_text(Fraction(energy_wh, 1000), 3)


def _yuan(fen: int | None) -> str:
    return _NO_VALUE if fen is None else decimal_text(Fraction(fen, 100), 2)
