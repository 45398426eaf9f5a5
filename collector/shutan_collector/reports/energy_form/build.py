"""Energy purchased, consumed and in stock (能源购进、消费与库存) of a month or year, in the style of statistical forms.

Quantities in 万kWh, 万Nm3, t and GJ; coefficients with their source; tce by calorific (当量值) and primary (等价值)
equivalent in columns of their own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from shutan_collector.accounting.summary import YearSummary
from shutan_collector.reports.consumption import consumption
from shutan_collector.reports.heading import heading_of

if TYPE_CHECKING:
    from fractions import Fraction

    from shutan_collector.accounting.summary import MonthSummary
    from shutan_collector.factors.table import FactorTable
    from shutan_collector.reports.consumption import Consumption
    from shutan_collector.reports.heading import Heading

__all__ = ["SCHEMA", "EnergyFormModel", "MonthUse", "build_energy_form"]

SCHEMA: Final = "shutan.report.energy_form/1"


@dataclass(frozen=True, slots=True)
class MonthUse:
    """Consumption of one month by carrier, in the carrier's unit; None where it is not known."""

    period: str
    used: tuple[tuple[str, Fraction | None], ...]
    tce: Fraction
    complete: bool


@dataclass(frozen=True, slots=True)
class EnergyFormModel:
    """The form; `months` holds one entry for a month, twelve for a whole year."""

    heading: Heading
    consumption: Consumption
    months: tuple[MonthUse, ...]


def build_energy_form(summary: MonthSummary | YearSummary, factors: FactorTable | None = None) -> EnergyFormModel:
    """The model of a month or year; factors: None = the packaged table."""
    months = summary.months if isinstance(summary, YearSummary) else (summary,)
    return EnergyFormModel(
        heading=heading_of(summary, SCHEMA),
        consumption=consumption(summary, factors),
        months=tuple(_month(month, factors) for month in months),
    )


def _month(month: MonthSummary, factors: FactorTable | None) -> MonthUse:
    used = consumption(month, factors)
    return MonthUse(month.period, tuple((item.key, item.used) for item in used.carriers), used.tce, used.complete)
