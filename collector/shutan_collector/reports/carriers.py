"""Names and customary units of carriers in Chinese reports: 万kWh, 万Nm3, t, GJ, computed exactly from registers."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from shutan_collector.reports.table import Both
from shutan_collector.site.model import Carrier, Role
from shutan_collector.units import Unit, nm3_from_litres

if TYPE_CHECKING:
    from shutan_collector.site.model import Meter

__all__ = ["CARRIER_NAMES", "LEVEL_NAMES", "ROLE_NAMES", "Physical", "meter_quantity", "report_quantity"]

CARRIER_NAMES: Final[dict[Carrier, Both]] = {
    Carrier.ELECTRICITY: Both("电力", "electricity"),
    Carrier.PV: Both("光伏电力", "photovoltaic power"),
    Carrier.NATURAL_GAS: Both("天然气", "natural gas"),
    Carrier.STEAM: Both("蒸汽", "steam"),
    Carrier.HEAT: Both("热力", "heat"),
    Carrier.WATER: Both("新水", "fresh water"),
    Carrier.COMPRESSED_AIR: Both("压缩空气", "compressed air"),
    Carrier.DIESEL: Both("柴油", "diesel"),
    Carrier.COAL: Both("煤", "coal"),
}
ROLE_NAMES: Final[dict[Role, Both]] = {
    Role.ENTRY: Both("进厂", "entry"),
    Role.SUB: Both("分表", "sub-meter"),
    Role.GENERATION: Both("自产", "generation"),
    Role.BOUNDARY: Both("转供", "handed on"),
    Role.EXPORT: Both("外供", "export"),
}
LEVEL_NAMES: Final[dict[int, Both]] = {
    1: Both("用能单位", "organisation"),
    2: Both("主要次级用能单位", "main sub-unit"),
    3: Both("主要用能设备", "main equipment"),
}
_PER_WAN: Final = 10_000


@dataclass(frozen=True, slots=True)
class Physical:
    """A physical quantity with its unit."""

    value: Fraction
    unit: str


def meter_quantity(meter: Meter, value: int) -> Physical:
    """A count of a meter's steps in the unit people read a meter in: kWh, m3, t, GJ; exact, three decimals or six."""
    unit = meter.unit
    if unit is Unit.WH:
        return Physical(Fraction(value, 1000), "kWh")
    if unit is Unit.LITRE:
        return Physical(Fraction(value, 1000), "m3")
    if unit is Unit.GRAM:
        return Physical(Fraction(value, 1_000_000), "t")
    return Physical(Fraction(value, 1_000_000), "GJ")


def report_quantity(meter: Meter, value: int) -> Physical:
    """The same in the customary unit of report forms.

    万kWh for power, 万Nm3 for gas (0 °C, 101.325 kPa), t for steam by mass, coal and water (1 m3 of water is 1 t),
    GJ for heat, 万m3 for compressed air, m3 for liquid fuel (no density is assumed).
    """
    read = meter_quantity(meter, value)
    if read.unit == "kWh":
        return Physical(read.value / _PER_WAN, "万kWh")
    if meter.carrier is Carrier.NATURAL_GAS and meter.gas_reference is not None:
        return Physical(nm3_from_litres(value, meter.gas_reference) / _PER_WAN, "万Nm3")
    if meter.carrier is Carrier.WATER:
        return Physical(read.value, "t")
    if meter.carrier is Carrier.COMPRESSED_AIR:
        return Physical(read.value / _PER_WAN, "万m3")
    return read
