"""What one step of a meter, or one line of a document, emits in a product footprint.

| carrier | formula | factor |
|---|---|---|
| electricity | electricity.footprint/1: Wh / 1000 × ef | national life-cycle factor (电力碳足迹因子), no grid factor |
| natural gas | combustion.footprint/1: Nm3 / 1e4 × NCV × CC × OF × 44/12 × 1000 | combustion, without upstream |
| steam, heat | heat.footprint/1: kJ / 1e6 × ef × 1000 | purchased heat |
| own intermediate | mean.footprint/1: kg / good, all its batches of the window | those of its parts |
| material | supplier.footprint/1: as the supplier states it | – |
| documents | ledger.footprint/1: g / 1000 × gwp | mass of gas of the month's ledger line, by the footprint's set |
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shutan_collector.errors import FactorError
from shutan_collector.factors.measured import fuel_values
from shutan_collector.factors.rows import ElectricityFootprintFactor
from shutan_collector.site.model import Carrier

if TYPE_CHECKING:
    from datetime import date
    from fractions import Fraction

    from shutan_collector.activity.kinds import ActivityBook
    from shutan_collector.factors.rows import Factor
    from shutan_collector.factors.table import FactorTable
    from shutan_collector.site.model import Meter, Site

__all__ = ["Rate", "electricity_rate", "meter_rate"]


@dataclass(frozen=True, slots=True)
class Rate:
    """An exact factor per unit of activity, and what it is made of.

    kg_per_unit   kg CO2e per `unit` of the activity
    factors       (role, row); own measured values stand in `inputs` as (name, value, unit) instead
    provisional   暂用: the activity year's own factor was not issued yet
    """

    formula: str
    unit: str
    kg_per_unit: Fraction
    factors: tuple[tuple[str, Factor], ...]
    inputs: tuple[tuple[str, Fraction, str], ...] = ()
    provisional: bool = False


def electricity_rate(factor: ElectricityFootprintFactor) -> Rate:
    """Rate of electricity, kg CO2e per Wh. TypeError for any other electricity factor: they are not interchangeable."""
    if not isinstance(factor, ElectricityFootprintFactor):  # pyright: ignore[reportUnnecessaryIsInstance] - the types are erased where plain Python calls
        raise TypeError(f"a product footprint takes the life-cycle factor of electricity, not {type(factor).__name__}")
    return Rate(
        "electricity.footprint/1",
        "Wh",
        factor.kg_co2e_per_kwh / 1000,
        (("ef", factor.row),),
        provisional=factor.provisional,
    )


def meter_rate(
    site: Site, meter: Meter, book: ActivityBook, factors: FactorTable, days: tuple[date, date], *, as_of: date
) -> Rate:
    """Rate of a meter for a window of local days. Raises FactorError."""
    known = factors.known(as_of)
    if meter.carrier is Carrier.ELECTRICITY:
        return electricity_rate(factors.electricity_footprint(days[1].year, as_of))
    if meter.carrier is Carrier.NATURAL_GAS:
        return _gas_rate(site, meter, book, known, days)
    if meter.carrier in {Carrier.STEAM, Carrier.HEAT}:
        heat = known.heat(days[1])
        return Rate("heat.footprint/1", meter.unit, heat.t_co2_per_gj / 1000, (("ef", heat.row),))
    raise FactorError(meter.id, f"there is no footprint factor of {meter.carrier}")


def _gas_rate(site: Site, meter: Meter, book: ActivityBook, known: FactorTable, days: tuple[date, date]) -> Rate:
    if meter.gas_reference is None:
        raise FactorError(meter.id, "the gas meter has no reference condition")
    values = fuel_values(known, site.fuel_family, Carrier.NATURAL_GAS.value, days, book.fuel_qualities)
    if values.per != "1e4Nm3":
        raise FactorError(meter.id, f"natural gas is valued per {values.per}, the meter counts a volume")
    parts = (("ncv", values.ncv), ("cc", values.carbon_content), ("of", values.oxidation_rate))
    nm3_per_litre = meter.gas_reference.nm3_per_m3 / 1000
    reference = (
        ("temperature", meter.gas_reference.temperature_c, "Cel"),
        ("pressure", meter.gas_reference.pressure_kpa, "kPa"),
    )
    return Rate(
        "combustion.footprint/1",
        meter.unit,
        nm3_per_litre / 10_000 * values.t_co2_per_unit * 1000,
        tuple((role, item.row) for role, item in parts if item.row is not None),
        (*reference, *((role, item.value, item.unit) for role, item in parts if item.row is None)),
    )
