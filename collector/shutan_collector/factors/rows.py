"""Factors as types: one row of the table, and what a formula may ask for.

The four electricity factors are four classes. They share no base and no field beside `row`, so that neither a type
checker nor `isinstance` takes one for another: the average of a grid is not the residual mix, and neither is the
life-cycle figure of a product footprint.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import Final

__all__ = [
    "CARBON_TO_CO2",
    "ElectricityFootprintFactor",
    "Factor",
    "FuelFactors",
    "GridCo2Factor",
    "HeatFactor",
    "ProcessFactor",
    "ReportingGridFactor",
    "ResidualMixFactor",
]

CARBON_TO_CO2: Final = Fraction(44, 12)  # as all Chinese guidelines write it, not 44.01/12.011


@dataclass(frozen=True, slots=True)
class Factor:
    """One row of the table; `text` is the decimal as printed, `value` the same number exactly, in `unit`.

    valid_from, valid_to   what time the number describes, both days inclusive; None = open
    known_from             the day it was issued: no report of an earlier date may use it; None = known always
    """

    id: str
    category: str
    subject: str
    name_zh: str
    name_en: str
    parameter: str
    text: str
    value: Fraction
    unit: str
    valid_from: date | None
    valid_to: date | None
    known_from: date | None
    region: str
    source: str
    confidence: str

    def serves(self, day: date) -> bool:
        """Whether an activity of that day lies within the row's validity."""
        return (self.valid_from is None or self.valid_from <= day) and (self.valid_to is None or day <= self.valid_to)

    def known(self, as_of: date) -> bool:
        """Whether the row was issued by that day."""
        return self.known_from is None or self.known_from <= as_of

    @property
    def issued(self) -> date | None:
        """The same as known_from."""
        return self.known_from

    @property
    def years(self) -> tuple[int, int]:
        """First and last year that the row describes; an open side reaches to the end of the calendar."""
        return (self.valid_from or date.min).year, (self.valid_to or date.max).year

    def cells(self) -> tuple[tuple[str, str], ...]:
        """All columns of the row as (name, text), in the order of the file."""
        return (
            ("id", self.id),
            ("category", self.category),
            ("fuel_or_energy", self.subject),
            ("name_zh", self.name_zh),
            ("name_en", self.name_en),
            ("parameter", self.parameter),
            ("value", self.text),
            ("unit", self.unit),
            ("valid_from", self.valid_from.isoformat() if self.valid_from else ""),
            ("valid_to", self.valid_to.isoformat() if self.valid_to else ""),
            ("known_from", self.known_from.isoformat() if self.known_from else ""),
            ("region", self.region),
            ("source", self.source),
            ("confidence", self.confidence),
        )


@dataclass(frozen=True, slots=True)
class GridCo2Factor:
    """Average CO2 factor of a grid (电力平均二氧化碳排放因子), kg CO2 per kWh, for scope 2 by location (基于位置).

    provisional   暂用: the activity year's own factor was not issued at the report date
    """

    row: Factor
    provisional: bool

    @property
    def kg_co2_per_kwh(self) -> Fraction:
        """The factor itself."""
        return self.row.value


@dataclass(frozen=True, slots=True)
class ResidualMixFactor:
    """National factor without market-traded non-fossil power (不包括市场化交易的非化石能源电量), kg CO2 per kWh.

    For the part of consumption in the market-based method (基于市场) that no contract or certificate covers.
    """

    row: Factor
    provisional: bool

    @property
    def kg_co2_per_kwh(self) -> Fraction:
        """The factor itself."""
        return self.row.value


@dataclass(frozen=True, slots=True)
class ReportingGridFactor:
    """National figure prescribed for enterprise reports (企业报告用全国电网平均排放因子), kg CO2 per kWh."""

    row: Factor
    provisional: bool

    @property
    def kg_co2_per_kwh(self) -> Fraction:
        """The factor itself."""
        return self.row.value


@dataclass(frozen=True, slots=True)
class ElectricityFootprintFactor:
    """Life-cycle factor of electricity (电力碳足迹因子), kg CO2e per kWh, for product footprints only."""

    row: Factor
    provisional: bool

    @property
    def kg_co2e_per_kwh(self) -> Fraction:
        """The factor itself."""
        return self.row.value


@dataclass(frozen=True, slots=True)
class FuelFactors:
    """The three defaults of one fuel in one family (缺省值), for the carbon-balance form.

    per              what the fuel is counted in: "t" or "1e4Nm3"
    ncv              net calorific value (低位发热量), GJ per t or per 1e4 Nm3
    carbon_content   carbon per unit of heat (单位热值含碳量), printed in tC/TJ
    oxidation_rate   碳氧化率, printed in percent
    """

    family: str
    per: str
    ncv: Factor
    carbon_content: Factor
    oxidation_rate: Factor

    @property
    def t_co2_per_unit(self) -> Fraction:
        """NCV × CC × OF × 44/12, t CO2 per t or per 1e4 Nm3."""
        carbon_t_per_gj = self.carbon_content.value / 1000
        return self.ncv.value * carbon_t_per_gj * (self.oxidation_rate.value / 100) * CARBON_TO_CO2

    @property
    def t_co2_per_1e4_nm3(self) -> Fraction:
        """The same, of a fuel counted in 1e4 Nm3."""
        return self.t_co2_per_unit

    @property
    def ids(self) -> tuple[str, ...]:
        """Ids of the three rows."""
        return (self.ncv.id, self.carbon_content.id, self.oxidation_rate.id)


@dataclass(frozen=True, slots=True)
class HeatFactor:
    """Factor of purchased heat (外购热力排放因子), t CO2 per GJ."""

    row: Factor

    @property
    def t_co2_per_gj(self) -> Fraction:
        """The factor itself."""
        return self.row.value


@dataclass(frozen=True, slots=True)
class ProcessFactor:
    """CO2 that leaves a process input (过程排放), t CO2 per t of the pure substance."""

    row: Factor

    @property
    def t_co2_per_t(self) -> Fraction:
        """The factor itself."""
        return self.row.value
