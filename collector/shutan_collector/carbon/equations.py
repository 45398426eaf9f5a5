"""The equations behind the formulas: kg of gas from terms by name, in fractions. Units are those of the formula table.

44/12, 44/56, 44/40 and 44/46 are the rounded molar masses that all Chinese guidelines print, not 44.01/12.011.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    Terms = Mapping[str, Fraction]

__all__ = [
    "carbon_balance",
    "clinker",
    "electricity",
    "fermentation",
    "heat_energy",
    "heat_metered",
    "hot_water",
    "metered_gas",
    "process_mass",
    "steam_mass",
    "stock_balance",
    "top_up",
    "wastewater",
]

_CO2_OF_C: Final = Fraction(44, 12)
_CO2_OF_CAO: Final = Fraction(44, 56)
_CO2_OF_MGO: Final = Fraction(44, 40)
_CO2_OF_ETHANOL: Final = Fraction(44, 46)
_NORMAL_K: Final = Fraction("273.15")  # 0 °C: the Nm3 of the accounting tables
_NORMAL_KPA: Final = Fraction("101.325")
_WATER_C: Final = 20  # heat of hot water counts above this temperature
_WATER_KJ_PER_KG_K: Final = Fraction("4.1868")


def electricity(terms: Terms) -> Fraction:
    """CO2 of electricity: energy in Wh, ef in kg per kWh."""
    return terms["energy"] / 1000 * terms["ef"]


def carbon_balance(terms: Terms) -> Fraction:
    """CO2 of a burnt fuel: fc in t or 1e4 Nm3, ncv in GJ per that, cc in tC/TJ, of in percent."""
    return _burnt(terms["fc"], terms)


def metered_gas(terms: Terms) -> Fraction:
    """CO2 of a burnt gas: volume in litres at the meter's temperature (°C) and absolute pressure (kPa)."""
    normal = _NORMAL_K / (_NORMAL_K + terms["temperature"]) * terms["pressure"] / _NORMAL_KPA
    return _burnt(terms["volume"] / 1000 * normal / 10_000, terms)


def _burnt(amount: Fraction, terms: Terms) -> Fraction:
    carbon_t = amount * terms["ncv"] * terms["cc"] / 1000 * terms["of"] / 100
    return carbon_t * _CO2_OF_C * 1000


def process_mass(terms: Terms) -> Fraction:
    """CO2 of a process input: mass in t, purity and conversion as shares, ef in t per t."""
    return terms["mass"] * terms["purity"] * terms["conversion"] * terms["ef"] * 1000


def clinker(terms: Terms) -> Fraction:
    """CO2 of clinker: mass in t; shares of CaO and MgO, less what did not come from carbonates."""
    lime = (terms["cao"] - terms["cao_nc"]) * _CO2_OF_CAO
    magnesia = (terms["mgo"] - terms["mgo_nc"]) * _CO2_OF_MGO
    return terms["mass"] * (lime + magnesia) * 1000


def stock_balance(terms: Terms) -> Fraction:
    """Gas that escaped, kg: what was there and came, less what is left and was recovered."""
    return terms["opening"] + terms["bought"] - terms["closing"] - terms["recovered"]


def top_up(terms: Terms) -> Fraction:
    """Gas that escaped, kg: what had to be filled up again."""
    return terms["topped_up"]


def heat_energy(terms: Terms) -> Fraction:
    """CO2 of purchased heat in GJ, ef in t per GJ."""
    return terms["heat"] * terms["ef"] * 1000


def heat_metered(terms: Terms) -> Fraction:
    """CO2 of purchased heat in kJ, as heat meters count."""
    return terms["heat"] / 1_000_000 * terms["ef"] * 1000


def steam_mass(terms: Terms) -> Fraction:
    """CO2 of purchased steam: mass in t, enthalpy and the feed water's deduction in kJ/kg."""
    return terms["mass"] * (terms["enthalpy"] - terms["deduction"]) / 1000 * terms["ef"] * 1000


def hot_water(terms: Terms) -> Fraction:
    """CO2 of purchased hot water: mass in t, temperature in °C."""
    return terms["mass"] * (terms["temperature"] - _WATER_C) * _WATER_KJ_PER_KG_K / 1000 * terms["ef"] * 1000


def fermentation(terms: Terms) -> Fraction:
    """Biogenic CO2 of fermentation: ethanol in t."""
    return terms["ethanol"] * _CO2_OF_ETHANOL * 1000


def wastewater(terms: Terms) -> Fraction:
    """CH4 of anaerobic waste-water treatment, less what was recovered: COD in kg, bo in kg/kg, mcf as a share."""
    return (terms["cod_removed"] - terms["sludge"]) * terms["bo"] * terms["mcf"] - terms["recovered"]
