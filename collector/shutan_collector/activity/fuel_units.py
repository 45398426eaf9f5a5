"""Amounts and calorific values of fuels, from the units of invoices to tonnes or 1e4 Nm3 (0 °C, 101.325 kPa)."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Final

from shutan_collector.activity.columns import Choice, Context, Finding, Values
from shutan_collector.units import GasReference

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["FUEL_UNITS", "NCV_UNITS", "fuel_amount", "fuel_ncv", "gas_state"]

FUEL_UNITS: Final = (
    Choice("t", ("吨",)),
    Choice("kg", ("千克", "公斤")),
    Choice("L", ("升",)),
    Choice("1e4Nm3", ("万Nm3", "万标方", "万标立方米")),
    Choice("Nm3", ("标方", "标立方米")),
    Choice("1e4m3", ("万m3", "万立方米", "万方")),
    Choice("m3", ("m³", "立方米", "方")),
)
NCV_UNITS: Final = (
    Choice("GJ/t", ("MJ/kg",)),
    Choice("kJ/kg"),
    Choice("kcal/kg", ("大卡/千克", "kCal/kg")),
    Choice("GJ/1e4Nm3", ("GJ/万Nm3",)),
    Choice("MJ/Nm3"),
    Choice("kJ/Nm3"),
    Choice("MJ/m3"),
    Choice("kJ/m3"),
    Choice("kcal/m3", ("大卡/立方米",)),
)
_TONNES: Final = {"t": Fraction(1), "kg": Fraction(1, 1000)}
_AT_NORMAL: Final = {"1e4Nm3": Fraction(1), "Nm3": Fraction(1, 10_000)}
_AT_METER: Final = {"1e4m3": Fraction(1), "m3": Fraction(1, 10_000)}
_KCAL_GJ: Final = Fraction("4.1868") / 1_000_000  # the international table calorie, as in GB/T 2589
_NCV_MASS: Final = {"GJ/t": Fraction(1), "kJ/kg": Fraction(1, 1000), "kcal/kg": _KCAL_GJ * 1000}
_NCV_NORMAL: Final = {"GJ/1e4Nm3": Fraction(1), "MJ/Nm3": Fraction(10), "kJ/Nm3": Fraction(1, 100)}
_NCV_METER: Final = {"MJ/m3": Fraction(10), "kJ/m3": Fraction(1, 100), "kcal/m3": _KCAL_GJ * 10_000}
_NEEDS_STATE: Final = "is needed for m3: the reference condition of the meter, for example 20 °C and 101.325 kPa"


def gas_state(values: Values) -> GasReference | None:
    """The reference condition of a row, if both of its cells are filled."""
    temperature, pressure = values.number("temperature_c"), values.number("pressure_kpa")
    return GasReference(temperature, pressure) if temperature is not None and pressure is not None else None


def fuel_amount(values: Values, context: Context) -> Iterator[Finding]:
    """Converts `quantity` to the unit of the fuel's factors and sets `unit`; finds a unit that does not fit."""
    own = context.vocabulary.fuel_unit[values.text("fuel")]
    unit, quantity = values.text("unit"), values.number("quantity") or Fraction(0)
    state = gas_state(values)
    if own == "t" and unit in _TONNES:
        values.found["quantity"] = quantity * _TONNES[unit]
    elif own == "t" and unit == "L":
        density = values.number("density")
        if density is None:
            yield "density", "is needed for litres, in kg/L (a delivery note states it)"
        values.found["quantity"] = quantity * (density or 0) / 1000
        values.keep("density", unit="kg/L")
    elif own == "1e4Nm3" and unit in _AT_NORMAL:
        values.found["quantity"] = quantity * _AT_NORMAL[unit]
    elif own == "1e4Nm3" and unit in _AT_METER:
        yield from _state_missing(values)
        values.found["quantity"] = quantity * _AT_METER[unit] * (state.nm3_per_m3 if state else 0)
        _keep_state(values)
    else:
        accepted = ", ".join((*_TONNES, "L") if own == "t" else (*_AT_NORMAL, *_AT_METER))
        yield "unit", f"found {unit!r}; {values.text('fuel')} is counted in {own}, accepted: {accepted}"
    if unit != own:
        values.keep("quantity", unit=unit)
    values.found["unit"] = own


def fuel_ncv(values: Values, context: Context, state: GasReference | None) -> Iterator[Finding]:
    """Converts `ncv` to GJ per tonne or per 1e4 Nm3; a value per m3 at the meter's state is per less gas."""
    own = context.vocabulary.fuel_unit[values.text("fuel")]
    unit, ncv = values.text("ncv_unit"), values.number("ncv") or Fraction(0)
    fitting = _NCV_MASS if own == "t" else {**_NCV_NORMAL, **_NCV_METER}
    if unit not in fitting:
        yield "ncv_unit", f"found {unit!r}; {values.text('fuel')} is counted in {own}, accepted: {', '.join(fitting)}"
        return
    ncv *= fitting[unit]
    if unit in _NCV_METER:
        yield from _state_missing(values)
        _keep_state(values)
        ncv = ncv / state.nm3_per_m3 if state else ncv
    if unit not in {"GJ/t", "GJ/1e4Nm3"}:
        values.keep("ncv", unit=unit)
    values.found["ncv"] = ncv


def _state_missing(values: Values) -> Iterator[Finding]:
    for name in ("temperature_c", "pressure_kpa"):
        if values.number(name) is None:
            yield name, _NEEDS_STATE


def _keep_state(values: Values) -> None:
    """The reference condition goes with the amount, once."""
    if not any(text.startswith("temperature_c") for text in values.written):
        values.keep("temperature_c", unit="°C")
        values.keep("pressure_kpa", unit="kPa")
