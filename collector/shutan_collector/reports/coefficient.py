"""Standard-coal coefficients (折标准煤系数) of what a site consumes, with where each comes from.

A measured net calorific value beats the table: p = NCV / 29.3076 MJ per kgce. Where GB/T 2589 prints a range (natural
gas), the calorific value of the site's fuel family decides, and the row says so. Electricity is taken at its calorific
equivalent (当量值); the primary equivalent (等价值) stands beside it and is never mixed in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from shutan_collector.errors import FactorError
from shutan_collector.factors.measured import fuel_values
from shutan_collector.reports.table import Both
from shutan_collector.site.model import Carrier
from shutan_collector.units import Unit

if TYPE_CHECKING:
    from datetime import date
    from fractions import Fraction

    from shutan_collector.accounting.summary import MonthSummary
    from shutan_collector.factors.rows import Factor
    from shutan_collector.factors.table import FactorTable
    from shutan_collector.site.model import Meter

__all__ = ["EDITION", "Coefficient", "Missing", "fuel_coefficient", "meter_coefficient"]

EDITION: Final = "2020"  # of GB/T 2589
_STANDARD_COAL: Final = "TCE-SC-NCV"
_HEAT: Final = "heat"
_MJ_PER_GJ: Final = 1000


@dataclass(frozen=True, slots=True)
class Coefficient:
    """kgce per `unit`, exact; `source` names the factor rows or the measured batches."""

    kgce: Fraction
    unit: str
    source: str


@dataclass(frozen=True, slots=True)
class Missing:
    """Why there is no coefficient."""

    reason: Both


def meter_coefficient(
    month: MonthSummary, meter: Meter, table: FactorTable, days: tuple[date, date]
) -> Coefficient | Missing:
    """Coefficient per report unit of a meter (`carriers.report_quantity`): 万kWh, 万Nm3, t, GJ."""
    match meter.carrier:
        case Carrier.ELECTRICITY | Carrier.PV:
            found: Coefficient | Missing = _of_row(table.coal("electricity", EDITION, days[1]), 10_000, "万kWh")
        case Carrier.NATURAL_GAS:
            found = fuel_coefficient(month, "natural_gas", "1e4Nm3", table, days)
        case Carrier.STEAM | Carrier.HEAT:
            found = _of_heat(meter, table.coal(_HEAT, EDITION, days[1]))
        case Carrier.WATER:
            found = _of_row(table.coal("fresh_water", EDITION, days[1]), 1, "t")
        case Carrier.DIESEL:
            found = _by_volume(month, meter, table, days)
        case Carrier.COAL:
            found = Missing(
                Both("煤种未知，按购进单据折标", "a meter does not know the kind of coal; see the documents")
            )
        case Carrier.COMPRESSED_AIR:
            found = Missing(Both("自产耗能工质不计入综合能耗", "a medium made on site is not counted again"))
    return found


def fuel_coefficient(
    month: MonthSummary, fuel: str, unit: str, table: FactorTable, days: tuple[date, date]
) -> Coefficient | Missing:
    """Coefficient per "t" or "1e4Nm3" of a fuel: measured, else GB/T 2589, else the fuel family's calorific value."""
    batches = [batch for batch in month.book.fuel_qualities if batch.fuel == fuel]
    measured = any(batch.start <= days[1] and days[0] <= batch.end for batch in batches)
    shown = "万Nm3" if unit == "1e4Nm3" else unit
    try:
        if not measured:
            try:
                row = table.coal(fuel, EDITION, days[1])
            except FactorError:
                pass  # a range or nothing: the calorific value decides
            else:
                return _of_row(row, 10_000 if unit == "1e4Nm3" else 1000, shown)
        ncv = fuel_values(table, month.site.fuel_family, fuel, days, batches).ncv
    except FactorError as error:
        return Missing(Both(f"缺少因子：{error.where}", str(error)))
    standard = table.by_id(_STANDARD_COAL)
    name = f"{ncv.row.id} / {standard.id}" if ncv.row else f"NCV {', '.join(ncv.batches)} / {standard.id}"
    return Coefficient(ncv.value * _MJ_PER_GJ / standard.value, shown, name)


def _of_heat(meter: Meter, row: Factor) -> Coefficient | Missing:
    """Heat in GJ, or steam by mass: 1 t of steam at h kJ/kg holds h MJ."""
    if meter.unit is Unit.KJ:
        return _of_row(row, _MJ_PER_GJ, "GJ")
    if meter.enthalpy_kj_per_kg is None:
        return Missing(Both("缺少蒸汽焓值", "the enthalpy of the steam is not stated"))
    return Coefficient(row.value * meter.enthalpy_kj_per_kg, "t", row.id)


def _by_volume(month: MonthSummary, meter: Meter, table: FactorTable, days: tuple[date, date]) -> Coefficient | Missing:
    """Liquid fuel metered in m3: kg/L is t/m3, so the coefficient per tonne times the density."""
    if meter.density_kg_per_l is None:
        return Missing(Both("缺少密度", "the density of the fuel is not stated"))
    per_tonne = fuel_coefficient(month, meter.carrier.value, "t", table, days)
    if isinstance(per_tonne, Missing):
        return per_tonne
    return Coefficient(per_tonne.kgce * meter.density_kg_per_l, "m3", per_tonne.source)


def _of_row(row: Factor, units: int, unit: str) -> Coefficient:
    """A row's kgce per kWh, kg, m3 or MJ as kgce per report unit."""
    return Coefficient(row.value * units, unit, row.id)
