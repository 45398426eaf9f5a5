"""Exact unit conversions, in integers and fractions only.

Counters come as integers in the metric's step; what is computed from them is a Fraction until it is quantised once,
by the ledger. The customary Chinese report units are 万kWh (1e4 kWh) and 万Nm3 (1e4 Nm3).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

__all__ = [
    "NORMAL_K",
    "NORMAL_KPA",
    "GasReference",
    "Unit",
    "decimal_text",
    "gj_from_kj",
    "kg_from_litres",
    "kj_from_steam",
    "kwh_from_wh",
    "nm3_from_litres",
    "tonnes_from_grams",
]

NORMAL_K = Fraction("273.15")  # 0 °C: the Nm3 of Chinese accounting tables
NORMAL_KPA = Fraction("101.325")
_ABSOLUTE_ZERO_C = Fraction("-273.15")


class Unit(StrEnum):
    """Step of a counter as it rests in the series store; the value is the customary symbol."""

    WH = "Wh"
    LITRE = "L"
    GRAM = "g"
    KJ = "kJ"


@dataclass(frozen=True, slots=True)
class GasReference:
    """The state at which a gas meter counts its cubic metres (计量参比条件).

    temperature_c   degrees Celsius, exact (20 for most Chinese trade meters, GB/T 19205)
    pressure_kpa    absolute pressure, exact (101.325 for a meter with a volume corrector)
    """

    temperature_c: Fraction
    pressure_kpa: Fraction

    @property
    def nm3_per_m3(self) -> Fraction:
        """Normal cubic metres (0 °C, 101.325 kPa) in one metered cubic metre, ideal gas."""
        return NORMAL_K / (self.temperature_c - _ABSOLUTE_ZERO_C) * self.pressure_kpa / NORMAL_KPA


def kwh_from_wh(energy_wh: int) -> Fraction:
    """Kilowatt-hours."""
    return Fraction(energy_wh, 1000)


def gj_from_kj(heat_kj: int) -> Fraction:
    """Gigajoules (百万千焦)."""
    return Fraction(heat_kj, 1_000_000)


def tonnes_from_grams(mass_g: int) -> Fraction:
    """Tonnes."""
    return Fraction(mass_g, 1_000_000)


def nm3_from_litres(volume_l: int, reference: GasReference) -> Fraction:
    """Normal cubic metres of a metered volume: V × 273.15/T × p/101.325 kPa."""
    return Fraction(volume_l, 1000) * reference.nm3_per_m3


def kj_from_steam(mass_g: int, enthalpy_kj_per_kg: Fraction) -> Fraction:
    """Heat content of steam in kilojoules: mass times its specific enthalpy at the metering point, above 0 °C."""
    return Fraction(mass_g, 1000) * enthalpy_kj_per_kg


def kg_from_litres(volume_l: int, density_kg_per_l: Fraction) -> Fraction:
    """Kilograms of a liquid."""
    return volume_l * density_kg_per_l


def decimal_text(value: Fraction, places: int) -> str:
    """Decimal text with a fixed number of places, rounded half to even; for display, never for arithmetic."""
    scaled = round(value * 10**places)
    sign = "-" if scaled < 0 else ""
    whole, fraction = divmod(abs(scaled), 10**places)
    return f"{sign}{whole}.{fraction:0{places}d}" if places else f"{sign}{whole}"
