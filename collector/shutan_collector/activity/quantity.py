"""Units in which an amount may be written, each with its exact factor to the one that the row holds."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "AREA_M2",
    "CARBON_TC_PER_TJ",
    "ELECTRICITY_KWH",
    "ELECTRICITY_MWH",
    "EMISSION_KG_PER_KWH",
    "ENTHALPY_KJ_KG",
    "HEAT_GJ",
    "KG",
    "MASS_T",
    "MONEY_WAN",
    "MONEY_YUAN",
    "NCV_PER_GAS",
    "NCV_PER_MASS",
    "PERCENT",
    "POWER_KW",
    "REGISTER_STEPS",
    "TEMPERATURE_C",
    "Units",
]


@dataclass(frozen=True, slots=True)
class Units:
    """Accepted units of one quantity; `factors` gives how many of the first one a unit is."""

    factors: Mapping[str, Fraction]
    aliases: Mapping[str, str]

    @property
    def own(self) -> str:
        """The unit that the row holds."""
        return next(iter(self.factors))

    @property
    def accepted(self) -> str:
        """All spellings, for a message."""
        return ", ".join((*self.factors, *self.aliases))

    def find(self, text: str) -> tuple[str, Fraction] | None:
        """Unit and factor of a spelling; None if it is not a unit of this quantity. Case counts: Mg is not mg."""
        unit = self.aliases.get(text, text)
        return (unit, self.factors[unit]) if unit in self.factors else None


def _units(factors: dict[str, int | Fraction], aliases: dict[str, str] | None = None) -> Units:
    return Units({unit: Fraction(factor) for unit, factor in factors.items()}, aliases or {})


_K: Final = Fraction(1, 1000)
_M: Final = Fraction(1, 1_000_000)
_KCAL_KJ: Final = Fraction("4.1868")  # the international table calorie, as in GB/T 2589

MASS_T: Final = _units({"t": 1, "kg": _K, "g": _M, "万t": 10_000}, {"吨": "t", "千克": "kg", "公斤": "kg", "克": "g"})
KG: Final = _units({"kg": 1, "t": 1000, "g": _K}, {"千克": "kg", "公斤": "kg", "吨": "t", "克": "g"})
_KWH_NAMES: Final = {"千瓦时": "kWh", "度": "kWh", "兆瓦时": "MWh", "万千瓦时": "万kWh", "万度": "万kWh"}
ELECTRICITY_KWH: Final = _units({"kWh": 1, "MWh": 1000, "万kWh": 10_000, "Wh": _K}, _KWH_NAMES)
ELECTRICITY_MWH: Final = _units({"MWh": 1, "kWh": _K, "万kWh": 10}, _KWH_NAMES)
HEAT_GJ: Final = _units(
    {"GJ": 1, "MJ": _K, "kJ": _M, "MWh": Fraction("3.6"), "kWh": Fraction("0.0036")},
    {"百万千焦": "GJ", "吉焦": "GJ", "兆焦": "MJ", "千焦": "kJ"},
)
MONEY_YUAN: Final = _units({"yuan": 1, "万元": 10_000}, {"元": "yuan", "CNY": "yuan"})
MONEY_WAN: Final = _units({"万元": 1, "yuan": Fraction(1, 10_000), "亿元": 10_000}, {"元": "yuan", "CNY": "yuan"})
POWER_KW: Final = _units({"kW": 1, "MW": 1000}, {"千瓦": "kW"})
AREA_M2: Final = _units(
    {"m2": 1, "ha": 10_000, "km2": 1_000_000, "亩": Fraction(2000, 3)},
    {"m²": "m2", "㎡": "m2", "平方米": "m2", "公顷": "ha"},
)
PERCENT: Final = _units({"%": 1})
TEMPERATURE_C: Final = _units({"Cel": 1}, {"°C": "Cel", "℃": "Cel"})
ENTHALPY_KJ_KG: Final = _units({"kJ/kg": 1, "MJ/kg": 1000}, {"MJ/t": "kJ/kg"})
# 1 t/MWh is 1 kg/kWh.
EMISSION_KG_PER_KWH: Final = _units({"kgCO2/kWh": 1, "gCO2/kWh": _K}, {"tCO2/MWh": "kgCO2/kWh"})
CARBON_TC_PER_TJ: Final = _units({"tC/TJ": 1, "tC/GJ": 1000}, {"kgC/GJ": "tC/TJ"})
NCV_PER_MASS: Final = _units(
    {"GJ/t": 1, "kJ/kg": _K, "kcal/kg": _KCAL_KJ / 1000}, {"MJ/kg": "GJ/t", "大卡/千克": "kcal/kg"}
)
NCV_PER_GAS: Final = _units({"GJ/1e4Nm3": 1, "MJ/Nm3": 10, "kJ/Nm3": Fraction(1, 100)}, {"GJ/万Nm3": "GJ/1e4Nm3"})

# Units of a display, by the step that a register rests in (Wh, L, g, kJ).
REGISTER_STEPS: Final[dict[str, Units]] = {
    "Wh": _units({"Wh": 1, "kWh": 1000, "MWh": 1_000_000, "万kWh": 10_000_000}, _KWH_NAMES),
    "L": _units({"L": 1, "m3": 1000}, {"m³": "m3", "立方米": "m3", "升": "L"}),
    "g": _units({"g": 1, "kg": 1000, "t": 1_000_000}, {"吨": "t", "千克": "kg", "公斤": "kg"}),
    "kJ": _units({"kJ": 1, "MJ": 1000, "GJ": 1_000_000}, {"百万千焦": "GJ", "吉焦": "GJ"}),
}
