"""Numbers of devices as exact fractions, and the units that lead to the catalogue's steps. No float touches a register.

A quantity in a device's unit becomes `quantity * factor + shift` in the unit of the catalogue (UCUM code there).
"""

from __future__ import annotations

import re
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from shutan_gateway.adapters.json_text import Json

__all__ = ["ENERGY_UNITS", "VOLUME_UNITS", "Scale", "exact", "scale_of", "units_for", "whole"]

_NUMBER = re.compile(r"[+-]?\d{1,30}(\.\d{0,30})?([eE][+-]?\d{1,2})?")
_EXPONENT_MAX = 40


class Scale(NamedTuple):
    """value in the catalogue's unit = quantity * factor + shift."""

    factor: Fraction = Fraction(1)
    shift: Fraction = Fraction(0)

    def apply(self, quantity: Fraction) -> Fraction:
        """A quantity of the device in the catalogue's unit."""
        return quantity * self.factor + self.shift


def exact(value: Json | Fraction) -> Fraction | None:
    """The number that a JSON value is, also when it stands in quotes; None when it is none."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | Fraction):
        return Fraction(value)
    if isinstance(value, Decimal):
        # A tiny text may name a number with a billion digits.
        return Fraction(value) if value.is_finite() and abs(value.adjusted()) <= _EXPONENT_MAX else None
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        number = Decimal(value.strip())
        return Fraction(number) if abs(number.adjusted()) <= _EXPONENT_MAX else None
    return None


def whole(quantity: Fraction) -> int:
    """Whole steps that are complete, as the digits of a register show them (never ahead of the device)."""
    return quantity.numerator // quantity.denominator


def _table(pairs: str) -> dict[str, Scale]:
    """From 'unit factor [shift]' entries separated by commas."""
    found: dict[str, Scale] = {}
    for entry in pairs.split(","):
        unit, *numbers = entry.split()
        found[unit] = Scale(*(Fraction(number) for number in numbers))
    return found


ENERGY_UNITS = _table("Wh 1, kWh 1000, MWh 1000000, GWh 1000000000, J 1/3600, kJ 5/18, MJ 2500/9, GJ 2500000/9")
VOLUME_UNITS = _table("L 1, l 1, mL 1/1000, m³ 1000, m3 1000, gal 3.785411784, ft³ 28.316846592")
_HEAT_UNITS = _table("kJ 1, MJ 1000, GJ 1000000, Wh 18/5, kWh 3600, MWh 3600000, kcal 4.184")
_MASS_UNITS = _table("g 1, kg 1000, t 1000000, lb 453.59237")
_TIMES = _table("s 1, ms 1/1000, min 60, h 3600, d 86400")
_FLOWS = _table("L/h 1, L/min 60, m³/h 1000, m3/h 1000")
_POWERS = _table("W 1, mW 1/1000, kW 1000, MW 1000000")
_REACTIVE = _table("var 1, VAR 1, kvar 1000, kVAR 1000")
_APPARENT = _table("VA 1, kVA 1000")
_TEMPERATURES = _table("°C 1, C 1, K 1 -5463/20, °F 5/9 -160/9, F 5/9 -160/9")

# UCUM unit of the catalogue -> what devices call it and its multiples
_UNITS: dict[str, dict[str, Scale]] = {
    "W.h": ENERGY_UNITS,
    "V.A{reactive}.h": _table("varh 1, kvarh 1000, kVARh 1000"),
    "V.A.h": _table("VAh 1, kVAh 1000"),
    "W": _POWERS,
    "V.A{reactive}": _REACTIVE,
    "V.A": _APPARENT,
    "V": _table("V 1, mV 1/1000, kV 1000"),
    "A": _table("A 1, mA 1/1000, kA 1000"),
    "Hz": _table("Hz 1, kHz 1000"),
    "%": _table("% 1"),
    "Cel": _TEMPERATURES,
    "L": VOLUME_UNITS,
    "L/h": _FLOWS,
    "g": _MASS_UNITS,
    "kg/h": _table("kg/h 1, t/h 1000"),
    "kJ": _HEAT_UNITS,
    "Pa": _table("Pa 1, hPa 100, kPa 1000, mbar 100, bar 100000, MPa 1000000, mmHg 133.322387415"),
    "s": _TIMES,
    "[ppm]": _table("ppm 1, ppb 1/1000"),
    "ug/m3": _table("µg/m³ 1, ug/m3 1, mg/m³ 1000"),
    "lx": _table("lx 1, klx 1000"),
    "mm/s": _table("mm/s 1, m/s 1000"),
    "dB{mW}": _table("dBm 1"),
    "By": _table("B 1, kB 1024, KB 1024"),
    "1": _table("1 1, % 1/100"),
}


def units_for(unit: str) -> dict[str, Scale]:
    """What a device may call a unit of the catalogue, with the way to it; empty when only a plain number will do."""
    return _UNITS.get(unit, {})


def scale_of(unit: str, called: str) -> Scale | None:
    """From a device's unit to the catalogue's; None when the two do not fit together."""
    return units_for(unit).get(called.strip())
